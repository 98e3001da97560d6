import * as z from "zod/mini";
import { ask } from "../ask.ts";
import type { Checked, Credentials, Start } from "../adapter.ts";

const API = "https://discord.com/api/v10";

/** @see https://discord.com/developers/docs/resources/user#get-current-user */
const Me = z.object({ id: z.string(), username: z.string(), bot: z._default(z.boolean(), false) });

/** Asks Discord whose token this is. */
export async function check(credentials: Credentials, start: Start): Promise<Checked> {
  const token = (credentials.get("bot-token") ?? "").trim();
  const answer = await ask({
    url: `${start.apiRoot ?? API}/users/@me`,
    headers: { authorization: `Bot ${token}` },
  });
  if (answer.state === "unreachable")
    return { failure: "unreachable", sentence: `Discord cannot be reached (${answer.detail})` };
  if (answer.status === 401)
    return {
      failure: "refused",
      sentence:
        "Discord refuses the token: reset it on discord.com/developers/applications, under Bot, and copy the new one",
    };
  const me = Me.safeParse(answer.body);
  if (answer.status !== 200 || !me.success)
    return { failure: "other", sentence: `Discord answered ${answer.status} to the question whose token it is` };
  if (!me.data.bot)
    return { failure: "mixed-up", sentence: "this token is a person's, not a bot's: no person's token is used" };
  return { account: `@${me.data.username}` };
}
