import * as z from "zod/mini";
import { ask, baseOf } from "../ask.ts";
import { Home, troubleWith } from "./home.ts";
import { logIn, logOut } from "./login.ts";
import { openStorage, RecoveryFailure } from "./recovery.ts";
import type { Checked, Credentials, Start } from "../adapter.ts";

/** @see https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3accountwhoami */
const WhoAmI = z.object({ user_id: z.string(), device_id: z.optional(z.string()) });
const Versions = z.object({ versions: z.array(z.string()) });
const Refusal = z.object({ errcode: z.string().check(z.regex(/^M_[A-Z_]{1,64}$/)) });

/** Asks a homeserver whose access token this is. A password is exchanged for one first, and what came of it is told along with the account. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const home = baseOf(start.apiRoot ?? (credentials.get("homeserver") ?? "").trim());
  if ("sentence" in home) return { failure: "other", sentence: home.sentence };
  const versions = await ask({ url: `${home.base}/_matrix/client/versions` });
  if (versions.state === "unreachable")
    return { failure: "unreachable", sentence: `the homeserver cannot be reached (${versions.detail})` };
  if (versions.status !== 200 || !Versions.safeParse(versions.body).success)
    return { failure: "other", sentence: "there is no Matrix homeserver at that address" };
  if ((credentials.get("password") ?? "") === "") return await ofToken(home.base, credentials);
  const login = await logIn(home.base, credentials);
  if ("failure" in login) return login;
  const checked = await ofToken(home.base, new Map([...credentials, ...Object.entries(login.secrets)]));
  if ("account" in checked) return { ...checked, instead: login.secrets };
  await logOut(home.base, login.secrets["access-token"]);
  return checked;
}

async function ofToken(base: string, credentials: Credentials): Promise<Checked> {
  const answer = await ask({
    url: `${base}/_matrix/client/v3/account/whoami`,
    headers: { authorization: `Bearer ${(credentials.get("access-token") ?? "").trim()}` },
  });
  if (answer.state === "unreachable")
    return { failure: "unreachable", sentence: `the homeserver cannot be reached (${answer.detail})` };
  const refusal = Refusal.safeParse(answer.body);
  if (answer.status === 401 || answer.status === 403)
    return {
      failure: "refused",
      ...(refusal.success && refusal.data.errcode === "M_UNKNOWN_TOKEN" ? { expired: true } : {}),
      sentence: `the homeserver refuses the access token${refusal.success ? ` (${refusal.data.errcode})` : ""}: log in once more and take the new one`,
    };
  const who = WhoAmI.safeParse(answer.body);
  if (answer.status !== 200 || !who.success)
    return { failure: "other", sentence: `the homeserver answered ${answer.status} to the question whose token it is` };
  if (who.data.device_id === undefined)
    return {
      failure: "mixed-up",
      sentence: "this token belongs to no device (an application service's?): log in as the bot and take that token",
    };
  const recovery = (credentials.get("recovery-key") ?? "").trim();
  if (recovery === "") return { account: who.data.user_id };
  try {
    const token = (credentials.get("access-token") ?? "").trim();
    await openStorage(new Home(base, token), who.data.user_id, recovery);
  } catch (error) {
    if (error instanceof RecoveryFailure) return { failure: "refused", sentence: error.message };
    return { failure: "unreachable", sentence: troubleWith(error) };
  }
  return { account: who.data.user_id };
}
