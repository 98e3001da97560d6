import { createHash, randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";

interface Client {
  readonly redirects: readonly string[];
}
interface Code {
  readonly client: string;
  readonly redirect: string;
  readonly challenge: string;
  readonly resource: string;
  readonly family: string;
  used: boolean;
}
interface Access {
  readonly family: string;
  readonly resource: string;
  readonly until: number;
}

/** An authorization server that refuses whatever OAuth 2.1, RFC 7591, 7636, 8707 and 9728 say it is to refuse. Whoever asks is let in at once: there is nobody to
 *  log in. @see https://datatracker.ietf.org/doc/html/draft-ietf-oauth-v2-1 */
export class OAuthServer {
  /** What was refused, in the words of its protocol and ours. */
  readonly refused: string[] = [];
  /** Access tokens given out, in order. */
  readonly given: string[] = [];
  /** How long one is good, in milliseconds. */
  lifetimeMs = 3_600_000;
  readonly #issuer: string;
  readonly #resource: string;
  readonly #clients = new Map<string, Client>();
  readonly #codes = new Map<string, Code>();
  readonly #access = new Map<string, Access>();
  readonly #refresh = new Map<
    string,
    { readonly client: string; readonly resource: string; readonly family: string; used: boolean }
  >();
  readonly #revoked = new Set<string>();

  /** @param issuer its origin. @param resource the address of the server that its tokens are for. */
  constructor(issuer: string, resource: string) {
    this.#issuer = issuer;
    this.#resource = resource;
  }

  /** Every token that was given out is good no more; what they are renewed with stays. */
  expireAll(): void {
    for (const [token, access] of this.#access) this.#access.set(token, { ...access, until: 0 });
  }

  /** Is it a token for this resource, and in time? */
  admits(authorization: string | undefined): boolean {
    const token = /^Bearer (.+)$/.exec(authorization ?? "")?.[1];
    const access = token === undefined ? undefined : this.#access.get(token);
    if (access === undefined || this.#revoked.has(access.family)) return false;
    return access.until > Date.now() && access.resource === this.#resource;
  }

  readonly answer = (request: IncomingMessage, response: ServerResponse): void => {
    const url = new URL(request.url ?? "/", this.#issuer);
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces).toString("utf8");
      try {
        this.#answer(`${request.method ?? ""} ${url.pathname}`, url, request, body, response);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.refused.push(`${error.code}: ${error.message}`);
        json(response, error.status, { error: error.code, error_description: error.message });
      }
    });
  };

  #answer(what: string, url: URL, request: IncomingMessage, body: string, response: ServerResponse): void {
    switch (what) {
      case "GET /.well-known/oauth-authorization-server":
        return json(response, 200, {
          issuer: this.#issuer,
          authorization_endpoint: `${this.#issuer}/authorize`,
          token_endpoint: `${this.#issuer}/token`,
          registration_endpoint: `${this.#issuer}/register`,
          response_types_supported: ["code"],
          grant_types_supported: ["authorization_code", "refresh_token"],
          code_challenge_methods_supported: ["S256"],
          token_endpoint_auth_methods_supported: ["none"],
        });
      case "POST /register":
        return json(response, 201, this.#register(body));
      case "GET /authorize":
        return this.#authorize(url.searchParams, response);
      case "POST /token":
        if (!(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded"))
          throw new Refusal(400, "invalid_request", "the body is no form");
        return json(response, 200, this.#token(new URLSearchParams(body)));
      default:
        return json(response, 404, { error: "not_found" });
    }
  }

  #register(body: string): object {
    const asked: unknown = JSON.parse(body);
    const redirects =
      typeof asked === "object" && asked !== null && "redirect_uris" in asked ? asked.redirect_uris : null;
    if (!Array.isArray(redirects) || redirects.length === 0)
      throw new Refusal(400, "invalid_redirect_uri", "no redirect is named");
    const named = redirects.map(String);
    if (!named.every((one) => /^http:\/\/127\.0\.0\.1:\d+\//.test(one)))
      throw new Refusal(400, "invalid_redirect_uri", "a redirect does not lead to this machine");
    const client = `client-${randomBytes(8).toString("hex")}`;
    this.#clients.set(client, { redirects: named });
    return Object.assign({}, asked, { client_id: client, client_id_issued_at: Math.floor(Date.now() / 1000) });
  }

  #authorize(asked: URLSearchParams, response: ServerResponse): void {
    const client = asked.get("client_id") ?? "";
    const redirect = asked.get("redirect_uri") ?? "";
    // Nobody is sent to an address that was not registered, whatever else is wrong.
    if (this.#clients.get(client)?.redirects.includes(redirect) !== true)
      throw new Refusal(400, "invalid_request", "the redirect is not that of this client");
    if (asked.get("response_type") !== "code") throw new Refusal(400, "unsupported_response_type", "only code");
    if (asked.get("code_challenge_method") !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(asked.get("code_challenge") ?? ""))
      throw new Refusal(400, "invalid_request", "no challenge by S256");
    if (asked.get("resource") !== this.#resource) throw new Refusal(400, "invalid_target", "the resource is another");
    const state = asked.get("state");
    if (state === null || state.length < 16) throw new Refusal(400, "invalid_request", "no state");
    const code = randomBytes(24).toString("base64url");
    this.#codes.set(code, {
      client,
      redirect,
      challenge: asked.get("code_challenge") ?? "",
      resource: this.#resource,
      family: randomBytes(8).toString("hex"),
      used: false,
    });
    const back = new URL(redirect);
    back.searchParams.set("code", code);
    back.searchParams.set("state", state);
    response.writeHead(302, { location: back.href }).end();
  }

  #token(asked: URLSearchParams): object {
    const client = asked.get("client_id") ?? "";
    if (!this.#clients.has(client)) throw new Refusal(401, "invalid_client", "nobody is registered as that");
    if (asked.get("resource") !== this.#resource) throw new Refusal(400, "invalid_target", "the resource is another");
    if (asked.get("grant_type") === "authorization_code") return this.#byCode(asked, client);
    if (asked.get("grant_type") === "refresh_token") return this.#byRefresh(asked, client);
    throw new Refusal(400, "unsupported_grant_type", "neither a code nor a refresh token");
  }

  #byCode(asked: URLSearchParams, client: string): object {
    const code = this.#codes.get(asked.get("code") ?? "");
    if (code === undefined || code.client !== client) throw new Refusal(400, "invalid_grant", "there is no such code");
    if (code.used) {
      // Whoever had it first may not be its owner: what came of it is good no more.
      this.#revoked.add(code.family);
      throw new Refusal(400, "invalid_grant", "the code was used before");
    }
    code.used = true;
    if (asked.get("redirect_uri") !== code.redirect) throw new Refusal(400, "invalid_grant", "the redirect is another");
    const verifier = asked.get("code_verifier") ?? "";
    if (createHash("sha256").update(verifier).digest("base64url") !== code.challenge)
      throw new Refusal(400, "invalid_grant", "the verifier is wrong");
    return this.#give(client, code.resource, code.family);
  }

  #byRefresh(asked: URLSearchParams, client: string): object {
    const token = this.#refresh.get(asked.get("refresh_token") ?? "");
    if (token === undefined || token.client !== client || this.#revoked.has(token.family))
      throw new Refusal(400, "invalid_grant", "there is no such refresh token");
    if (token.used) {
      this.#revoked.add(token.family);
      throw new Refusal(400, "invalid_grant", "the refresh token was used before");
    }
    token.used = true;
    return this.#give(client, token.resource, token.family);
  }

  #give(client: string, resource: string, family: string): object {
    const access = `at-${randomBytes(24).toString("base64url")}`;
    const refresh = `rt-${randomBytes(24).toString("base64url")}`;
    this.#access.set(access, { family, resource, until: Date.now() + this.lifetimeMs });
    this.#refresh.set(refresh, { client, resource, family, used: false });
    this.given.push(access);
    return {
      access_token: access,
      token_type: "Bearer",
      expires_in: Math.floor(this.lifetimeMs / 1000),
      refresh_token: refresh,
    };
  }
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

function json(response: ServerResponse, status: number, body: object): void {
  response
    .writeHead(status, { "content-type": "application/json", "cache-control": "no-store" })
    .end(JSON.stringify(body));
}
