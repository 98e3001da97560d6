import { randomBytes } from "node:crypto";
import type { OAuthClientProvider, OAuthDiscoveryState } from "@modelcontextprotocol/sdk/client/auth.js";
import {
  type OAuthClientInformationMixed,
  type OAuthClientMetadata,
  type OAuthTokens,
  OAuthTokensSchema,
} from "@modelcontextprotocol/sdk/shared/auth.js";
import * as z from "zod/mini";
import { McpProcessError } from "./mcp-error.ts";

/** What is kept of an authorization: one secret, which nobody but this role reads. */
const Kept = z.object({
  client: z.looseObject({ client_id: z.string() }),
  tokens: z.unknown(),
  redirect: z.string(),
  discovery: z.optional(z.looseObject({ authorizationServerUrl: z.string() })),
});

/** Of that, in bytes. */
const MAX_KEPT = 64 * 1024;

/** OAuth 2.1 as a public client of one server: registered when it is first authorized, with PKCE, and renewed by its refresh token. */
export class OwnAuth implements OAuthClientProvider {
  readonly #save: (kept: Uint8Array) => void;
  #redirect: string | undefined;
  #client: OAuthClientInformationMixed | undefined;
  #tokens: OAuthTokens | undefined;
  #discovery: OAuthDiscoveryState | undefined;
  #verifier = "";
  #state = "";
  /** Is given the address where an authorization goes on; null: nobody is there who could go. */
  #lead: ((address: URL) => void) | null = null;

  /** @param save keeps what is to be given again at the next start. */
  constructor(save: (kept: Uint8Array) => void) {
    this.#save = save;
  }

  /** @param kept as it was saved. @throws {McpProcessError} if it is none of that. */
  restore(kept: Uint8Array): void {
    try {
      const read = Kept.parse(JSON.parse(Buffer.from(kept).toString("utf8")));
      this.#client = read.client;
      this.#tokens = OAuthTokensSchema.parse(read.tokens);
      this.#redirect = read.redirect;
      this.#discovery = read.discovery;
    } catch (cause) {
      throw new McpProcessError("unauthorized", "what was kept of its authorization cannot be read", { cause });
    }
  }

  get authorized(): boolean {
    return this.#tokens !== undefined;
  }

  /** A new authorization begins, and forgets every earlier one. */
  begin(redirect: string, lead: (address: URL) => void): void {
    this.#redirect = redirect;
    this.#client = undefined;
    this.#tokens = undefined;
    this.#discovery = undefined;
    this.#state = randomBytes(24).toString("base64url");
    this.#lead = lead;
  }

  /** The code in what came back. @param query of the redirect. @throws {McpProcessError} if it is no answer to what was begun. */
  codeIn(query: string): string {
    const came = new URLSearchParams(query);
    if (this.#state === "" || came.get("state") !== this.#state)
      throw new McpProcessError(
        "unauthorized",
        "what came back is not the answer to this authorization: begin it again",
      );
    this.#state = "";
    const error = came.get("error");
    if (error !== null)
      throw new McpProcessError(
        "unauthorized",
        `the authorization was refused (${error.replaceAll(/[^\w.-]/g, "").slice(0, 64)})`,
      );
    const code = came.get("code");
    if (code === null || code === "") throw new McpProcessError("unauthorized", "what came back holds no code");
    return code;
  }

  get redirectUrl(): string | undefined {
    return this.#redirect;
  }

  get clientMetadata(): OAuthClientMetadata {
    return {
      client_name: "Wirken",
      redirect_uris: this.#redirect === undefined ? [] : [this.#redirect],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }

  state(): string {
    return this.#state;
  }

  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.#client;
  }

  saveClientInformation(client: OAuthClientInformationMixed): void {
    this.#client = client;
  }

  tokens(): OAuthTokens | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: OAuthTokens): void {
    // Where renewing gives no new refresh token, the one of before goes on to count.
    this.#tokens = {
      ...(this.#tokens?.refresh_token === undefined ? {} : { refresh_token: this.#tokens.refresh_token }),
      ...tokens,
    };
    const kept = Buffer.from(
      JSON.stringify({
        client: this.#client,
        tokens: this.#tokens,
        redirect: this.#redirect,
        discovery: this.#discovery,
      }),
    );
    if (kept.length > MAX_KEPT) throw new McpProcessError("too-large", "its tokens are too long");
    this.#save(kept);
  }

  redirectToAuthorization(address: URL): void {
    if (this.#lead === null) {
      const scope = (address.searchParams.get("scope") ?? "").replaceAll(/[^\x21-\x7e ]/g, "").slice(0, 200);
      throw new McpProcessError(
        "unauthorized",
        `its authorization is over, or does not cover this: it has to be authorized again${scope === "" ? "" : ` (scope: ${scope})`}`,
      );
    }
    const lead = this.#lead;
    this.#lead = null;
    lead(address);
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#discovery = state;
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovery;
  }

  invalidateCredentials(what: "all" | "client" | "tokens" | "verifier" | "discovery"): void {
    if (what === "all" || what === "client") this.#client = undefined;
    if (what === "all" || what === "tokens") this.#tokens = undefined;
    if (what === "all" || what === "verifier") this.#verifier = "";
    if (what === "all" || what === "discovery") this.#discovery = undefined;
  }
}
