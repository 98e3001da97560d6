import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import * as z from "zod/mini";
import { type Login, MatrixHome, type Reply } from "./matrix-home.ts";

/** A homeserver: access tokens that end, refresh tokens of which the one of before is good until one of those that took its place is used, and behind them
 *  rooms, keys and files.
 *  @see https://spec.matrix.org/v1.11/client-server-api/#refreshing-access-tokens */

const Refresh = z.strictObject({ refresh_token: z.string() });
const ByPassword = z.strictObject({
  type: z.literal("m.login.password"),
  identifier: z.strictObject({ type: z.literal("m.id.user"), user: z.string() }),
  password: z.string(),
  initial_device_display_name: z.optional(z.string()),
  refresh_token: z.optional(z.boolean()),
});

interface Session {
  readonly access: string;
  readonly refresh: string;
  /** In milliseconds since 1970. */
  ends: number;
}

const UNKNOWN: Reply = [401, { errcode: "M_UNKNOWN_TOKEN", error: "Access token has expired", soft_logout: true }];

export class MatrixServer implements AsyncDisposable {
  readonly #server: Server;
  readonly user = "@wirken:matrix.example";
  readonly home = new MatrixHome();
  /** Others who are logged in, by their tokens. */
  readonly #others = new Map<string, Login>();
  device = "ABCDEF";
  /** Of the bot's account; null: nobody logs in by a password here. */
  password: string | null = "correct horse";
  /** Devices that were logged out. */
  readonly gone: string[] = [];
  /** Questions of any kind. */
  asked = 0;
  #port = 0;
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
    if (!this.#server.listening) return `http://127.0.0.1:${this.#port}`;
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  /** What a login gave, in the order in which it is asked for. */
  get login(): Record<"homeserver" | "access-token" | "refresh-token", string> {
    return { homeserver: this.root, "access-token": this.#now.access, "refresh-token": this.#now.refresh };
  }

  /** Somebody else logs in. @returns their token. */
  other(user: string, device: string): string {
    const token = `syt_${randomBytes(16).toString("hex")}`;
    this.#others.set(token, { user, device });
    this.home.account(user);
    return token;
  }

  /** Nothing is answered or accepted until {@link up}. */
  async down(): Promise<void> {
    this.#port = Number(new URL(this.root).port);
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async up(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
  }

  /** Every connection is cut; the server goes on. */
  cut(): void {
    this.#server.closeAllConnections();
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
    this.asked += 1;
    const pieces: Uint8Array[] = [];
    for await (const piece of request) if (piece instanceof Uint8Array) pieces.push(piece);
    const raw = Buffer.concat(pieces);
    const url = new URL(request.url ?? "/", "http://here");
    const path = url.pathname;
    const question = `${request.method ?? ""} ${path}`;
    const { mishaps } = this.home;
    const at = mishaps.findIndex(({ on }) => on.test(question));
    const [mishap] = at === -1 ? [] : mishaps.splice(at, 1);
    if (mishap?.reply === "cut") {
      request.socket.destroy();
      return;
    }
    if (mishap !== undefined && typeof mishap.reply !== "string") {
      const [status, body] = mishap.reply;
      response.writeHead(status, { "content-type": "application/json", ...mishap.headers }).end(JSON.stringify(body));
      return;
    }
    const [status, answer, type = "application/json"] = await this.#answer(question, request, url, raw);
    if (mishap?.reply === "cut after") {
      request.socket.destroy();
      return;
    }
    if (this.loseAnswer && path.endsWith("/refresh")) {
      this.loseAnswer = false;
      request.socket.destroy();
      return;
    }
    response.writeHead(status, { "content-type": type });
    response.end(answer instanceof Uint8Array ? answer : JSON.stringify(answer));
  }

  async #answer(question: string, request: IncomingMessage, url: URL, raw: Buffer): Promise<Reply> {
    const reply = this.#reply(question, request, raw.toString("utf8"));
    if (reply[0] !== 404) return reply;
    // Older programs say it in the address, which v1.11 lets them; ours must not.
    const said = (request.headers.authorization ?? "").replace(/^Bearer /, "");
    const login = this.#loginOf(said === "" ? (url.searchParams.get("access_token") ?? "") : said);
    return login === null ? UNKNOWN : await this.home.reply(login, request.method ?? "", url, raw);
  }

  #loginOf(token: string): Login | null {
    const other = this.#others.get(token);
    if (other !== undefined) return other;
    return this.#whoAmI(token)[0] === 200 ? { user: this.user, device: this.device } : null;
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
      case "GET /_matrix/client/v3/login":
        return [200, { flows: [{ type: this.password === null ? "m.login.sso" : "m.login.password" }] }];
      case "POST /_matrix/client/v3/login":
        return this.#logIn(body);
      case "POST /_matrix/client/v3/logout":
        if (this.#whoAmI((headers.authorization ?? "").replace(/^Bearer /, ""))[0] !== 200) return UNKNOWN;
        this.gone.push(this.device);
        this.logOut();
        return [200, {}];
      default:
        return [404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }];
    }
  }

  /** The device of before stays logged in. */
  #logIn(body: string): Reply {
    const asked = ByPassword.safeParse(JSON.parse(body)).data;
    if (asked === undefined) return [400, { errcode: "M_BAD_JSON", error: "Bad JSON" }];
    const { user } = asked.identifier;
    if (![this.user, "wirken"].includes(user) || asked.password !== this.password)
      return [403, { errcode: "M_FORBIDDEN", error: "Invalid username or password" }];
    this.#others.set(this.#now.access, { user: this.user, device: this.device });
    this.device = `D${randomBytes(5).toString("hex").toUpperCase()}`;
    this.#before = null;
    this.#now = this.#issue();
    const { access, refresh } = this.#now;
    const renewable = asked.refresh_token === true ? { refresh_token: refresh } : {};
    const ends = this.lifetimeMs === null ? {} : { expires_in_ms: this.lifetimeMs };
    return [200, { user_id: this.user, access_token: access, device_id: this.device, ...renewable, ...ends }];
  }

  #whoAmI(access: string): Reply {
    const other = this.#others.get(access);
    if (other !== undefined) return [200, { user_id: other.user, device_id: other.device }];
    if (access === this.#now.access) this.#before = null;
    const session = [this.#now, this.#before].find((one) => one?.access === access);
    if (session === undefined || session === null || session.ends <= Date.now()) return UNKNOWN;
    return [200, { user_id: this.user, device_id: this.device }];
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
    if (!this.#server.listening) return;
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
