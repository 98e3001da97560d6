import type { WebClient } from "@slack/web-api";
import { NotABot } from "./api.ts";
import type { Bot } from "./convert.ts";

export interface Identity extends Bot {
  readonly botId: string;
  /** The workspace's name. */
  readonly workspace: string;
  /** What the bot token may do; empty where Slack does not say. */
  readonly scopes: readonly string[];
}

/** Without these no message comes in or goes out. */
const NEEDED = ["app_mentions:read", "chat:write", "im:history"] as const;

/** What it can do without, and cannot do then. */
const USEFUL: ReadonlyMap<string, string> = new Map([
  ["files:read", "files that people send cannot be had"],
  ["files:write", "no files can be sent"],
  ["im:write", "nobody can be written to first"],
  ["reactions:write", "messages are not marked"],
  ["users:read", "people are shown by their ids"],
  ["channels:history", "what is written in a channel while Wirken is away cannot be had"],
]);

/** Asks Slack whose bot token this is. @throws what the SDK throws, or {@link NotABot}. */
export async function introduce(client: WebClient): Promise<Identity> {
  const said = await client.auth.test();
  const { user_id: user, bot_id: botId, team_id: team, user: name = "", team: workspace = "" } = said;
  if (user === undefined || botId === undefined || team === undefined) throw new NotABot("the token is not a bot's");
  return { user, botId, team, name, workspace, scopes: said.response_metadata?.scopes ?? [] };
}

export function accountOf({ name, workspace }: Identity): string {
  return `@${name} in workspace ${workspace}`;
}

/** @returns a sentence about scopes that are missing, or null. */
export function missingScopes({ scopes }: Identity): string | null {
  const missing = scopes.length === 0 ? [] : NEEDED.filter((scope) => !scopes.includes(scope));
  if (missing.length === 0) return null;
  return `the Slack app lacks the bot scope ${missing.join(", ")}: add it under OAuth & Permissions on api.slack.com/apps and install the app again`;
}

/** @returns a sentence about what does not work for want of a scope, or null. */
export function lackingScopes({ scopes }: Identity): string | null {
  const lacking = scopes.length === 0 ? [] : [...USEFUL].filter(([scope]) => !scopes.includes(scope));
  if (lacking.length === 0) return null;
  const effects = lacking.map(([scope, effect]) => `${effect} (${scope})`).join(", ");
  return `the Slack app lacks scopes: ${effects}; add them under OAuth & Permissions on api.slack.com/apps and install the app again`;
}

export const TWO_APPS =
  "the two Slack tokens belong to different apps: take the bot token (OAuth & Permissions) and the app token (Basic Information) from the same one";

/** Do both tokens belong to one app? Where Slack does not let us ask (the scope users:read), it is taken that they do. */
export async function isOneApp(client: WebClient, { botId }: Identity, app: string | null): Promise<boolean> {
  if (app === null) return true;
  try {
    const { bot } = await client.bots.info({ bot: botId });
    return bot?.app_id === undefined || bot.app_id === app;
  } catch {
    return true;
  }
}
