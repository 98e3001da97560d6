import * as z from "zod/mini";
import { ask } from "../ask.ts";
import type { Credentials } from "../adapter.ts";

/** A login of Wirken's own by the account's password, which is shown to the homeserver once and kept by nobody. */

const Token = z.string().check(z.regex(/^[!-~]{1,4096}$/));
/** @see https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3login */
const Flows = z.object({ flows: z.array(z.object({ type: z.string() })) });
/** @see https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3login */
const Given = z.object({ access_token: Token, device_id: z.string(), refresh_token: z.optional(Token) });
const Refusal = z.object({ errcode: z.string().check(z.regex(/^M_[A-Z_]{1,64}$/)) });
const PASSWORD = "m.login.password";

/** `secrets`: by their names in the vault. */
export type LoggedIn =
  | { readonly secrets: Readonly<Record<"access-token", string> & Partial<Record<"refresh-token", string>>> }
  | { readonly failure: "refused" | "unreachable" | "other"; readonly sentence: string };

/** @param base the homeserver's address. */
export async function logIn(base: string, credentials: Credentials): Promise<LoggedIn> {
  const url = `${base}/_matrix/client/v3/login`;
  const flows = await ask({ url });
  if (flows.state === "unreachable") return unreachable(flows.detail);
  const known = Flows.safeParse(flows.body);
  if (flows.status === 200 && known.success && !known.data.flows.some(({ type }) => type === PASSWORD))
    return {
      failure: "refused",
      sentence: "this homeserver lets nobody log in by a password: log in on its own page, and give the access token",
    };
  const answer = await ask({
    url,
    json: {
      type: PASSWORD,
      identifier: { type: "m.id.user", user: (credentials.get("user") ?? "").trim() },
      password: credentials.get("password") ?? "",
      initial_device_display_name: "Wirken",
      refresh_token: true,
    },
  });
  if (answer.state === "unreachable") return unreachable(answer.detail);
  const given = Given.safeParse(answer.body);
  if (answer.status === 200 && given.success) {
    const { access_token: token, refresh_token: refresh } = given.data;
    return { secrets: { "access-token": token, ...(refresh === undefined ? {} : { "refresh-token": refresh }) } };
  }
  const code = Refusal.safeParse(answer.body).data?.errcode ?? `HTTP ${answer.status}`;
  if (answer.status === 403)
    return { failure: "refused", sentence: `the homeserver refuses that name and password (${code})` };
  if (answer.status === 429)
    return {
      failure: "unreachable",
      sentence: "the homeserver takes no more logins for a while (M_LIMIT_EXCEEDED): try again in a few minutes",
    };
  return { failure: "other", sentence: `the homeserver answered ${code} to the login` };
}

/** Ends a login that is not kept, as well as that goes. */
export async function logOut(base: string, token: string): Promise<void> {
  await ask({ url: `${base}/_matrix/client/v3/logout`, headers: { authorization: `Bearer ${token}` }, json: {} });
}

function unreachable(detail: string): LoggedIn {
  return { failure: "unreachable", sentence: `the homeserver cannot be reached (${detail})` };
}
