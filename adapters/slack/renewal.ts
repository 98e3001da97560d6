import { WebClient } from "@slack/web-api";
import * as z from "zod/mini";
import type { Fresh, Renewable, Withheld } from "../renewal.ts";
import { options, platformCode, trouble } from "./api.ts";

/** @see https://docs.slack.dev/authentication/using-token-rotation */
const Token = z.string().check(z.regex(/^[A-Za-z0-9._-]{5,1000}$/));
const Renewed = z.object({
  access_token: Token,
  refresh_token: Token,
  /** Seconds. */
  expires_in: z.int().check(z.gte(1), z.lte(31_536_000)),
});

/** Slack was reached and failed: it can be asked again. */
const PASSING: ReadonlySet<string> = new Set([
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
  "ratelimited",
  "rate_limited",
  "team_added_to_org",
  "accesslimited",
]);
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["bad_client_secret", "the Client Secret is not that of the app (Basic Information on api.slack.com/apps)"],
  ["invalid_client_id", "there is no app with this Client ID (Basic Information on api.slack.com/apps)"],
  [
    "invalid_refresh_token",
    "the refresh token is not the app's newest: each is good for one renewal, and one that was cut short spends it",
  ],
]);
const MEND = "install the app again on api.slack.com/apps and run `wirken vault rotate slack`";

/** Bot tokens of an app with token rotation: good for 12 hours, and renewed with a refresh token that is good for one renewal. */
export const renewable: Renewable = {
  can: (credentials) =>
    (credentials.get("bot-token") ?? "").trim().startsWith("xoxe.xoxb-") &&
    ["refresh-token", "client-id", "client-secret"].every((name) => (credentials.get(name) ?? "").trim() !== ""),
  ask: async (credentials, start): Promise<Fresh | Withheld> => {
    const given = (name: string): string => (credentials.get(name) ?? "").trim();
    try {
      const said = Renewed.safeParse(
        await new WebClient(undefined, options(start)).oauth.v2.access({
          grant_type: "refresh_token",
          client_id: given("client-id"),
          client_secret: given("client-secret"),
          refresh_token: given("refresh-token"),
        }),
      );
      if (!said.success)
        return {
          failure: "refused",
          sentence: `Slack renewed the bot token in a form that is not known here: ${MEND}`,
        };
      const { access_token: token, refresh_token: refresh, expires_in: seconds } = said.data;
      return { secrets: { "bot-token": token, "refresh-token": refresh }, lifetimeMs: seconds * 1_000 };
    } catch (error) {
      const code = platformCode(error);
      if (code === null || PASSING.has(code))
        return {
          failure: "unreachable",
          sentence: code === null ? trouble(error, "bot").sentence : `Slack answered ${code}`,
        };
      return {
        failure: "refused",
        sentence: `Slack does not renew the bot token (${code}): ${REFUSED.get(code) ?? "it was revoked"}; ${MEND}`,
      };
    }
  },
};
