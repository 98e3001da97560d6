import * as z from "zod/mini";
import { ask, baseOf } from "../ask.ts";
import type { Fresh, Renewable, Withheld } from "../renewal.ts";

/** @see https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3refresh */
const Token = z.string().check(z.regex(/^[!-~]{1,4096}$/));
const Renewed = z.object({
  access_token: Token,
  /** Left out where the one before is to be used again. */
  refresh_token: z.optional(Token),
  expires_in_ms: z.optional(z.int().check(z.gte(1), z.lte(31_536_000_000))),
});
const Refusal = z.object({ errcode: z.string().check(z.regex(/^M_[A-Z_]{1,64}$/)) });

/** Access tokens of a login that asked for a refresh token. The homeserver takes the refresh token of before until one of those it gave is used, so that
 *  an answer that got lost costs nothing. */
export const renewable: Renewable = {
  can: (credentials) => (credentials.get("refresh-token") ?? "").trim() !== "",
  ask: async (credentials, start): Promise<Fresh | Withheld> => {
    const home = baseOf(start.apiRoot ?? (credentials.get("homeserver") ?? "").trim());
    if ("sentence" in home) return { failure: "unreachable", sentence: home.sentence };
    const refresh = (credentials.get("refresh-token") ?? "").trim();
    const answer = await ask({ url: `${home.base}/_matrix/client/v3/refresh`, json: { refresh_token: refresh } });
    if (answer.state === "unreachable")
      return { failure: "unreachable", sentence: `the homeserver cannot be reached (${answer.detail})` };
    const given = Renewed.safeParse(answer.body);
    if (answer.status === 200 && given.success) {
      const { access_token: token, refresh_token: next = refresh, expires_in_ms: lifetimeMs = null } = given.data;
      return { secrets: { "access-token": token, "refresh-token": next }, lifetimeMs };
    }
    const code = Refusal.safeParse(answer.body);
    if (answer.status !== 401 && answer.status !== 403)
      return {
        failure: "unreachable",
        sentence: `the homeserver answered ${answer.status} to the renewal of the token`,
      };
    return {
      failure: "refused",
      sentence: `the homeserver does not renew the access token${code.success ? ` (${code.data.errcode})` : ""}: log in once more and run \`wirken vault rotate matrix\``,
    };
  },
};
