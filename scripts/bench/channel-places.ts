import { DiscordServer } from "../../test/support/discord-server/discord-server.ts";
import { ADA, BOB } from "../../test/support/discord-server/people.ts";
import { MatrixPeer } from "../../test/support/matrix-peer.ts";
import { MatrixServer } from "../../test/support/matrix-server.ts";
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
  readonly platform: "telegram" | "slack" | "signal" | "discord" | "matrix";
  /** Conversations that people write in at once. */
  readonly conversations: number;
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
  {
    platform: "matrix",
    conversations: 2,
    // Both rooms are encrypted: what people write and read is so by a program of theirs, whose time is part of what a message takes.
    start: async () => {
      const server = await MatrixServer.start();
      const { home, user } = server;
      const people = await Promise.all(
        ["@ada:matrix.example", "@bob:matrix.example"].map(async (person) => {
          const room = home.room(person, [user], { encrypted: true, direct: true });
          home.member(room, user, user, "join");
          return { room, members: [person, user], peer: await MatrixPeer.start(home, person) };
        }),
      );
      // Everything is kept, as a homeserver does that has all the time; what a phone would not be sent at once is not what is measured.
      home.timelineLimit = 10_000;
      const heard = people.map(({ peer }) => peer.heard);
      return {
        secrets: { homeserver: server.root, "access-token": server.login["access-token"] },
        apiRoot: server.root,
        write: (nth, text) => {
          const to = people[nth];
          to?.peer.say(to.room, to.members, text);
        },
        shown: () => heard.flat(),
        [Symbol.asyncDispose]: async () => {
          for (const { peer } of people) await peer[Symbol.asyncDispose]();
          await server[Symbol.asyncDispose]();
        },
      };
    },
  },
];
