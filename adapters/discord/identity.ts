import type { REST } from "@discordjs/rest";
import { ApplicationFlags, GatewayIntentBits, Routes } from "discord-api-types/v10";
import * as z from "zod/mini";

/** Who we are on Discord, and what our application was allowed. */

export interface Bot {
  readonly id: string;
  readonly name: string;
}

/** What is heard: who wrote what, where we were taken from, and, by the switch below, what was written without calling us by name. */
export const INTENTS =
  GatewayIntentBits.Guilds |
  GatewayIntentBits.GuildMessages |
  GatewayIntentBits.DirectMessages |
  GatewayIntentBits.MessageContent;

export const NO_CONTENT =
  "the bot may not read messages: on discord.com/developers/applications open the application, then Bot, switch on Message Content Intent under Privileged Gateway Intents, and press Save Changes";
export const NOT_A_BOT = "this token is a person's, not a bot's: no person's token is used";

/** @see https://docs.discord.com/developers/resources/user#user-object */
const Me = z.object({ id: z.string(), username: z.string(), bot: z._default(z.boolean(), false) });
/** @see https://docs.discord.com/developers/resources/application#application-object */
const Application = z.object({ flags: z._default(z.int(), 0) });

/** An answer that is not of the documented form. */
export class OddAnswer extends Error {
  override readonly name = "OddAnswer";
}

export type Introduced =
  | { readonly bot: Bot }
  | { readonly failure: "mixed-up" | "scope-missing"; readonly sentence: string };

/** Asks Discord whose token this is, and whether the application may read messages. @throws what the SDK throws, or {@link OddAnswer} */
export async function introduce(rest: REST): Promise<Introduced> {
  const me = Me.safeParse(await rest.get(Routes.user()));
  if (!me.success) throw new OddAnswer("Discord did not say whose token it is");
  if (!me.data.bot) return { failure: "mixed-up", sentence: NOT_A_BOT };
  const application = Application.safeParse(await rest.get(Routes.currentApplication()));
  if (!application.success) throw new OddAnswer("Discord did not say what the application may do");
  const { flags } = application.data;
  // The second is the same switch for an application that is in few servers and was not looked at by anybody.
  const may = ApplicationFlags.GatewayMessageContent | ApplicationFlags.GatewayMessageContentLimited;
  if ((flags & may) === 0) return { failure: "scope-missing", sentence: NO_CONTENT };
  return { bot: { id: me.data.id, name: me.data.username } };
}

export function accountOf({ name }: Bot): string {
  return `@${name}`;
}
