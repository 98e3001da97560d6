import { randomBytes } from "node:crypto";
import { z } from "zod/mini";
import { SlackRefusal } from "./arguments.ts";

const Renewal = z.strictObject({
  grant_type: z.literal("refresh_token"),
  client_id: z.string(),
  client_secret: z.string(),
  refresh_token: z.string(),
});
/** Slack keeps two access tokens of one installation; the oldest is revoked by a third. */
const MAX_ACTIVE = 2;

/** An app with token rotation: access tokens that end, and refresh tokens that are good for one renewal.
 *  @see https://docs.slack.dev/authentication/using-token-rotation */
export class TokenRotation {
  readonly clientId = "3336676.569200954261";
  readonly clientSecret = randomBytes(16).toString("hex");
  /** Milliseconds that the next tokens live. */
  lifetimeMs: number;
  /** All that were given out, ever: none of them is to be seen anywhere. */
  readonly issued: string[] = [];
  renewals = 0;
  /** Access tokens and when they end, oldest first. */
  readonly #access = new Map<string, number>();
  #refresh = "";

  constructor(lifetimeMs: number) {
    this.lifetimeMs = lifetimeMs;
    this.#issue();
  }

  /** What somebody who installs the app copies from its page. */
  get newest(): { readonly access: string; readonly refresh: string } {
    return { access: [...this.#access.keys()].at(-1) ?? "", refresh: this.#refresh };
  }

  /** @returns false for a token of before. */
  isNewest(token: string): boolean {
    return token === this.newest.access;
  }

  /** @returns whether it is a bot token. @throws {SlackRefusal} token_expired. */
  takes(token: string): boolean {
    const end = this.#access.get(token);
    if (end === undefined) return false;
    if (end <= Date.now()) throw new SlackRefusal("token_expired");
    return true;
  }

  /** Every access token ends now. */
  end(): void {
    for (const token of this.#access.keys()) this.#access.set(token, 0);
  }

  /** Somebody else renews: the refresh token that the app has is spent. */
  spend(): void {
    this.#refresh = `xoxe-1-${randomBytes(24).toString("hex")}`;
  }

  /** Answers `oauth.v2.access`. @throws {SlackRefusal} */
  renew(given: unknown): object {
    const asked = Renewal.safeParse(given);
    if (!asked.success) throw new SlackRefusal("invalid_arguments");
    const { client_id: id, client_secret: secret, refresh_token: refresh } = asked.data;
    if (id !== this.clientId) throw new SlackRefusal("invalid_client_id");
    if (secret !== this.clientSecret) throw new SlackRefusal("bad_client_secret");
    if (refresh !== this.#refresh) throw new SlackRefusal("invalid_refresh_token");
    this.renewals += 1;
    this.#issue();
    return {
      access_token: this.newest.access,
      refresh_token: this.#refresh,
      expires_in: Math.max(1, Math.round(this.lifetimeMs / 1_000)),
      token_type: "bot",
      scope: "chat:write",
      bot_user_id: "U0WIRKEN",
      app_id: "A0WIRKEN",
      team: { id: "T0ACME", name: "Acme" },
    };
  }

  #issue(): void {
    const access = `xoxe.xoxb-1-${randomBytes(24).toString("hex")}`;
    this.#access.set(access, Date.now() + this.lifetimeMs);
    const [oldest] = this.#access.keys();
    if (this.#access.size > MAX_ACTIVE && oldest !== undefined) this.#access.delete(oldest);
    this.#refresh = `xoxe-1-${randomBytes(24).toString("hex")}`;
    this.issued.push(access, this.#refresh);
  }
}
