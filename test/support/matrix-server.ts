import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import * as z from "zod/mini";

/** A homeserver as far as a login with a refresh token sees it: access tokens that end, and refresh tokens of which the one of before is good until one of
 *  those that took its place is used.
 *  @see https://spec.matrix.org/v1.11/client-server-api/#refreshing-access-tokens */

const Refresh = z.strictObject({ refresh_token: z.string() });

interface Session {
  readonly access: string;
  readonly refresh: string;
  /** In milliseconds since 1970. */
  ends: number;
}

type Reply = readonly [status: number, body: object];

const UNKNOWN: Reply = [401, { errcode: "M_UNKNOWN_TOKEN", error: "Access token has expired", soft_logout: true }];

export class MatrixServer implements AsyncDisposable {
  readonly #server: Server;
  readonly user = "@wirken:matrix.example";
  /** Milliseconds that the next access tokens live; null: the server does not say, and they do not end by themselves. */
  lifetimeMs: number | null = 300_000;
  /** Everything that was given out, ever. */
  readonly issued: string[] = [];
  renewals = 0;
  /** The connection is cut after the next renewal was made: nobody hears of it. */
  loseAnswer = false;
  #now: Session;
  #before: Session | null = null;

  private constructor(server: Server) {
    this.#server = server;
    this.#now = this.#issue();
  }

  static async start(): Promise<MatrixServer> {
    const server = createServer();
    const matrix = new MatrixServer(server);
    server.on("request", (request, response) => void matrix.#serve(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return matrix;
  }

  get root(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** What a login gave, in the order in which it is asked for. */
  get login(): Record<"homeserver" | "access-token" | "refresh-token", string> {
    return { homeserver: this.root, "access-token": this.#now.access, "refresh-token": this.#now.refresh };
  }

  /** Every access token ends now. */
  end(): void {
    this.#now.ends = 0;
    if (this.#before !== null) this.#before.ends = 0;
  }

  /** The owner logs the bot out. */
  logOut(): void {
    this.#before = null;
    this.#now = this.#issue();
  }

  #issue(): Session {
    const session = {
      access: `mat_${randomBytes(24).toString("hex")}`,
      refresh: `mar_${randomBytes(24).toString("hex")}`,
      ends: Date.now() + (this.lifetimeMs ?? Number.MAX_SAFE_INTEGER / 2),
    };
    this.issued.push(session.access, session.refresh);
    return session;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const piece of request) body += String(piece);
    const path = new URL(request.url ?? "/", "http://here").pathname;
    const [status, answer] = this.#reply(`${request.method ?? ""} ${path}`, request, body);
    if (this.loseAnswer && path.endsWith("/refresh")) {
      this.loseAnswer = false;
      request.socket.destroy();
      return;
    }
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }

  #reply(question: string, { headers }: IncomingMessage, body: string): Reply {
    switch (question) {
      case "GET /_matrix/client/versions":
        return [200, { versions: ["v1.11"] }];
      case "GET /_matrix/client/v3/account/whoami":
        return this.#whoAmI((headers.authorization ?? "").replace(/^Bearer /, ""));
      case "POST /_matrix/client/v3/refresh":
        return headers["content-type"] === "application/json"
          ? this.#refresh(Refresh.safeParse(JSON.parse(body)).data?.refresh_token ?? "")
          : [400, { errcode: "M_NOT_JSON", error: "" }];
      default:
        return [404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }];
    }
  }

  #whoAmI(access: string): Reply {
    if (access === this.#now.access) this.#before = null;
    const session = [this.#now, this.#before].find((one) => one?.access === access);
    if (session === undefined || session === null || session.ends <= Date.now()) return UNKNOWN;
    return [200, { user_id: this.user, device_id: "ABCDEF" }];
  }

  #refresh(refresh: string): Reply {
    if (refresh !== this.#now.refresh && refresh !== this.#before?.refresh) return UNKNOWN;
    // The one of before stays good where its answer was lost: what was given then is forgotten.
    const used = refresh === this.#now.refresh ? this.#now : (this.#before ?? this.#now);
    this.renewals += 1;
    this.#before = used;
    this.#now = this.#issue();
    const ends = this.lifetimeMs === null ? {} : { expires_in_ms: this.lifetimeMs };
    return [200, { access_token: this.#now.access, refresh_token: this.#now.refresh, ...ends }];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
