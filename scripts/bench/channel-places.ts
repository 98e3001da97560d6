import { DiscordServer } from "../../test/support/discord-server/discord-server.ts";
import { ADA, BOB } from "../../test/support/discord-server/people.ts";
import { IDS, SignalServer } from "../../test/support/signal-server.ts";
import { SlackServer } from "../../test/support/slack-server/slack-server.ts";
import { TelegramServer } from "../../test/support/telegram-server.ts";

/** A platform's test server as the bench drives it: people write in some conversations, and what is answered there is seen. Another platform plugs in
 *  with an entry of {@link PLACES}; what the bare program does there is in `channel-bare.ts`. */
export interface ChannelPlace extends AsyncDisposable {
  readonly secrets: Readonly<Record<string, string>>;
  readonly apiRoot: string;
  /** Somebody writes in conversation `nth`. */
  write(nth: number, text: string): void;
  /** Texts that are to be read, of all conversations, oldest first. */
  shown(): readonly { readonly text: string }[];
}

export interface BenchedChannel {
  readonly platform: "telegram" | "slack" | "signal" | "discord";
  /** Conversations that people write in at once. */
  readonly conversations: number;
  /** Milliseconds that the last answers have, where the platform takes fewer calls than people write. */
  readonly drainMs?: number;
  start(): Promise<ChannelPlace>;
}

export const PLACES: readonly BenchedChannel[] = [
  {
    platform: "telegram",
    conversations: 10,
    start: async () => {
      const server = await TelegramServer.start();
      return {
        secrets: { "bot-token": server.token },
        apiRoot: server.apiRoot,
        write: (nth, text) => void server.direct(text, 100 + nth, `person ${nth}`),
        shown: () => server.shown,
        [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
      };
    },
  },
  {
    platform: "slack",
    conversations: 2,
    start: async () => {
      const server = await SlackServer.start();
      const who = [
        { channel: "D0ADA", user: "U0ADA" },
        { channel: "D0BOB", user: "U0BOB" },
      ];
      return {
        secrets: server.tokens,
        apiRoot: server.apiRoot,
        write: (nth, text) => void server.direct(text, who[nth]),
        shown: () => server.posted,
        [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
      };
    },
  },
  {
    platform: "signal",
    conversations: 2,
    start: async () => {
      const server = await SignalServer.start();
      const who = [IDS.ada, IDS.bob];
      return {
        secrets: { account: server.account, daemon: `127.0.0.1:${server.port}` },
        apiRoot: server.apiRoot,
        write: (nth, text) => void server.direct(text, who[nth], `person ${nth}`),
        shown: () => server.shown,
        [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
      };
    },
  },
  {
    platform: "discord",
    conversations: 2,
    // A bot has fifty calls a second: half of the answers are still waiting when the last message comes.
    drainMs: 120_000,
    start: async () => {
      const server = await DiscordServer.start();
      const who = [ADA, BOB];
      return {
        secrets: { "bot-token": server.token },
        apiRoot: server.apiRoot,
        write: (nth, text) => void server.direct(text, {}, who[nth]),
        shown: () => server.shown.map(({ content }) => ({ text: content })),
        [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
      };
    },
  },
];
