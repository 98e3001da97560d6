import * as z from "zod/mini";
import { ask, baseOf } from "../ask.ts";
import type { Checked, Credentials, Start } from "../adapter.ts";

/** @see https://documenter.getpostman.com/view/765844/UV5RnfwM (Server, Info) */
const Info = z.object({
  data: z.object({ server_version: z.string(), detected_imessage: z.nullish(z.string()) }),
});

/** Asks a BlueBubbles server whose Messages it reads. Its password travels in the address, as that server wants it: hence only an encrypted way. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const server = baseOf(start.apiRoot ?? (credentials.get("server") ?? "").trim());
  if ("sentence" in server) return { failure: "other", sentence: server.sentence };
  const password = encodeURIComponent((credentials.get("password") ?? "").trim());
  const answer = await ask({ url: `${server.base}/api/v1/server/info?guid=${password}` });
  if (answer.state === "unreachable")
    return { failure: "unreachable", sentence: `the BlueBubbles server cannot be reached (${answer.detail})` };
  if (answer.status === 401 || answer.status === 403)
    return { failure: "refused", sentence: "the BlueBubbles server refuses the password" };
  const info = Info.safeParse(answer.body);
  if (answer.status !== 200 || !info.success)
    return { failure: "other", sentence: "there is no BlueBubbles server at that address" };
  const { server_version: version, detected_imessage: account } = info.data.data;
  return { account: account ?? `BlueBubbles ${version}` };
}
