import { App } from "@slack/bolt";
import type { Start } from "../adapter.ts";
import { options, SILENT } from "./api.ts";
import type { Identity } from "./identity.ts";
import type { InboundSlack } from "./inbound.ts";
import type { Lines } from "./lines.ts";

export interface ListenParts {
  readonly start: Start;
  readonly receiver: Lines;
  readonly inbound: InboundSlack;
  /** Null: Slack has not said yet whose tokens these are. */
  readonly identity: () => Identity | null;
}

/** What tells of messages, of what became of them, and of where we are not any more. */
const EVENTS = [
  "message",
  "app_mention",
  "member_left_channel",
  "channel_left",
  "group_left",
  "tokens_revoked",
  "app_uninstalled",
] as const;

/** Slack's own framework, with what it listens to here. It asks Slack nothing by itself, holds no token, and is done with an event when that is on the log. */
export function listen({ start, receiver, inbound, identity }: ListenParts): App {
  const app = new App({
    receiver,
    authorize: async () => {
      const known = identity();
      // What belongs to nobody yet is not taken: it comes again.
      if (known === null) throw new Error("it is not known whose events these are");
      return { botId: known.botId, botUserId: known.user };
    },
    convoStore: false,
    // A token that an event brings is used for nothing.
    attachFunctionToken: false,
    logger: SILENT,
    clientOptions: options(start),
  });
  // An error must reach the receiver: it then does not acknowledge.
  app.error(async (error) => {
    throw error;
  });
  for (const name of EVENTS) app.event(name, async ({ event }) => await inbound.event(event));
  app.action({ type: "block_actions" }, async ({ body }) => await inbound.press(body));
  return app;
}
