import { createHmac, generateKeyPairSync, verify } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTcpServer, type Server as TcpServer } from "node:net";
import * as z from "zod/mini";

/** What the platforms without a test server of their own answer to the question whose credential something is: the documented request, to the letter, or
 *  the refusal that the platform gives. */

const { privateKey, publicKey } = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});

/** What is good everywhere here. */
export const GOOD = {
  matrix: { homeserver: "https://matrix.example", "access-token": "syt_d2lya2Vu_canaryCANARY_0a1b2c" },
  teams: {
    "app-id": "11111111-2222-3333-4444-555555555555",
    "tenant-id": "66666666-7777-8888-9999-000000000000",
    "client-secret": "abc8Q~canary-canary-canary-canary",
  },
  whatsapp: {
    "phone-number-id": "106540352242922",
    "app-id": "401234567890123",
    "access-token": `EAA${"canary".repeat(6)}`,
    "app-secret": "0123456789abcdef0123456789abcdef",
  },
  "google-chat": {
    "service-account": JSON.stringify({
      type: "service_account",
      project_id: "acme",
      private_key: privateKey,
      client_email: "wirken@acme.iam.gserviceaccount.com",
    }),
    subscription: "projects/acme/subscriptions/wirken",
  },
  imessage: { server: "https://mac.example", password: "canary&canary canary".replaceAll(" ", "+") },
  signal: { account: "+4930123456", daemon: "127.0.0.1:7583" },
} as const;

const GOOGLE_TOKEN = "ya29.a-token";
const Claims = z.object({ iss: z.string(), scope: z.string(), aud: z.string(), iat: z.int(), exp: z.int() });

const Request = z.object({ jsonrpc: z.literal("2.0"), id: z.string(), method: z.string() });

type Reply = readonly [status: number, body: unknown];

/** How the server answers besides: `garbage`: no JSON; `huge`: without end; `elsewhere`: by pointing to another address. */
export type Mood = "good" | "garbage" | "huge" | "elsewhere";

export class PlatformApis implements AsyncDisposable {
  readonly #server: Server;
  mood: Mood = "good";
  /** Paths that were asked, with their queries. */
  readonly asked: string[] = [];
  /** Changes what a good question is answered. */
  readonly instead = new Map<string, Reply>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<PlatformApis> {
    const server = createServer();
    const apis = new PlatformApis(server);
    server.on("request", (request, response) => void apis.#answer(request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return apis;
  }

  get root(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://here");
    this.asked.push(`${url.pathname}${url.search}`);
    let body = "";
    for await (const piece of request) body += String(piece);
    if (this.mood === "elsewhere") {
      response.writeHead(302, { location: "/stolen" }).end();
    } else if (this.mood === "garbage") {
      response.writeHead(200, { "content-type": "text/html" }).end("<html>a proxy's page</html>");
    } else if (this.mood === "huge") {
      response.writeHead(200, { "content-type": "application/json" });
      for (let piece = 0; piece < 64; piece++) response.write('"'.padEnd(65_536, "x"));
      response.end();
    } else {
      const [status, answer] = this.instead.get(url.pathname) ?? replyTo(request, url, body);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function replyTo(request: IncomingMessage, url: URL, body: string): Reply {
  const { authorization = "" } = request.headers;
  switch (url.pathname) {
    case "/_matrix/client/versions":
      return [200, { versions: ["v1.11"] }];
    case "/_matrix/client/v3/account/whoami":
      return authorization === `Bearer ${GOOD.matrix["access-token"]}`
        ? [200, { user_id: "@wirken:matrix.example", device_id: "ABCDEF" }]
        : [401, { errcode: "M_UNKNOWN_TOKEN", error: "Invalid access token passed." }];
    case `/${GOOD.teams["tenant-id"]}/oauth2/v2.0/token`:
      return entra(request, body);
    case "/app":
      return graph(url, authorization, [200, { id: GOOD.whatsapp["app-id"] }]);
    case `/${GOOD.whatsapp["phone-number-id"]}`:
      return graph(url, authorization, [200, { display_phone_number: "+1 555 0100", verified_name: "Acme", id: "1" }]);
    case "/token":
      return googleLogin(request, body);
    case "/v1/spaces":
      return authorization === `Bearer ${GOOGLE_TOKEN}` ? [200, {}] : [401, { error: { code: 401 } }];
    case `/v1/${GOOD["google-chat"].subscription}`:
      return authorization === `Bearer ${GOOGLE_TOKEN}` ? [200, { name: url.pathname }] : [401, {}];
    case "/api/v1/server/info":
      return url.searchParams.get("guid") === GOOD.imessage.password
        ? [200, { status: 200, data: { server_version: "1.9.9", detected_imessage: "owner@example.org" } }]
        : [401, { status: 401, message: "You are not authorized to access this resource" }];
    default:
      return [404, { error: { code: 404 } }];
  }
}

function entra(request: IncomingMessage, body: string): Reply {
  const form = new URLSearchParams(body);
  const asks = {
    grant_type: "client_credentials",
    client_id: GOOD.teams["app-id"],
    client_secret: GOOD.teams["client-secret"],
    scope: "https://api.botframework.com/.default",
  };
  if (request.method !== "POST") return [405, {}];
  if (form.get("client_secret") !== asks.client_secret)
    return [401, { error: "invalid_client", error_codes: [7_000_215], error_description: "AADSTS7000215: …" }];
  if (Object.entries(asks).some(([name, value]) => form.get(name) !== value))
    return [400, { error: "unauthorized_client", error_codes: [700_016] }];
  const claims = Buffer.from(JSON.stringify({ appid: asks.client_id })).toString("base64url");
  return [200, { token_type: "Bearer", access_token: `e30.${claims}.c2ln` }];
}

function graph(url: URL, authorization: string, good: Reply): Reply {
  const token = GOOD.whatsapp["access-token"];
  if (authorization !== `Bearer ${token}`)
    return [401, { error: { code: 190, type: "OAuthException", message: "Invalid OAuth access token" } }];
  const proof = createHmac("sha256", GOOD.whatsapp["app-secret"]).update(token).digest("hex");
  return url.searchParams.get("appsecret_proof") === proof
    ? good
    : [400, { error: { code: 100, message: "Invalid appsecret_proof provided in the API argument" } }];
}

function googleLogin(request: IncomingMessage, body: string): Reply {
  const form = new URLSearchParams(body);
  const [head = "", claims = "", signature = ""] = (form.get("assertion") ?? "").split(".");
  const signed = verify("RSA-SHA256", Buffer.from(`${head}.${claims}`), publicKey, Buffer.from(signature, "base64url"));
  const says = Claims.safeParse(signed ? JSON.parse(Buffer.from(claims, "base64url").toString()) : null);
  const good =
    request.method === "POST" &&
    form.get("grant_type") === "urn:ietf:params:oauth:grant-type:jwt-bearer" &&
    says.success &&
    says.data.aud === "https://oauth2.googleapis.com/token" &&
    says.data.exp - says.data.iat <= 3600;
  return good ? [200, { access_token: GOOGLE_TOKEN, expires_in: 3599 }] : [400, { error: "invalid_grant" }];
}

/** Answers each line as the signal-cli daemon does. */
export async function signalDaemon(
  accounts: readonly string[],
): Promise<{ readonly port: number; readonly server: TcpServer }> {
  const server = createTcpServer((socket) => {
    socket.setEncoding("utf8").on("data", (line) => {
      const { id, method } = Request.parse(JSON.parse(String(line)));
      const answer =
        method === "listAccounts"
          ? { jsonrpc: "2.0", result: accounts.map((number) => ({ number })), id }
          : { jsonrpc: "2.0", error: { code: -32_601, message: "Method not implemented" }, id };
      socket.write(`${JSON.stringify(answer)}\n`);
    });
    socket.on("error", () => undefined);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it does not listen");
  return { port: address.port, server };
}
