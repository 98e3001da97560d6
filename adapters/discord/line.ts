import {
  Encoding,
  type IContextFetchingStrategy,
  type SessionInfo,
  WebSocketShard,
  WebSocketShardEvents,
} from "@discordjs/ws";
import type { GatewayDispatchPayload } from "discord-api-types/v10";
import { VERSION } from "./api.ts";
import { INTENTS } from "./identity.ts";

/** What Discord knows a session by, and the last dispatch of it that is on the log. */
export interface Session {
  readonly id: string;
  readonly url: string;
  readonly seq: number;
}

export interface LineEvents {
  /** In the order of their numbers. */
  dispatch(payload: GatewayDispatchPayload): void;
  /** A new session began: the one before is over. */
  begun(session: Session): void;
  /** The session goes on: what was missed has been dispatched again. */
  resumed(): void;
  /** Discord still listens. */
  heartbeat(): void;
  /** Before Discord is asked for a new session, which it counts. */
  identifying(): void;
}

export interface LineEnd {
  /** The code that it was closed with. */
  readonly code: number;
  /** The session cannot go on. */
  readonly invalid: boolean;
}

/** Until Discord has said hello, and until it has answered who we are. */
const HELLO_MS = 30_000;
const OPEN_MS = 60_000;
/** One session a token may begin within this time. @see https://docs.discord.com/developers/events/gateway#rate-limiting */
const IDENTIFY_MS = 5_000;
/** Nothing was received, and no code either. */
const LOST = 1_006;
/** Any code but 1000 and 1001 leaves the session to go on. */
const LEFT = 4_200;
/** Codes after which the session cannot go on. @see https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway */
const SESSION_OVER: ReadonlySet<number> = new Set([4_003, 4_005, 4_007, 4_009]);

/** When a session was last asked for, by one connection after the other. */
export interface Pace {
  identified: number;
}

/** One connection to Discord's gateway by the SDK's own shard. What comes after its end is another's question: the shard would connect again twice a second,
 *  and forget the session whenever the network is gone. Not by discord.js' `Client` above it: one that goes on with a session of a process before (by a
 *  `ws.buildStrategy` that hands it over) is never ready, throws at `RESUMED` where it looks for a session of its own, and queues each dispatch for good. */
export class Line {
  readonly #shard: WebSocketShard;
  readonly #on: LineEvents;
  readonly #gone = Promise.withResolvers<LineEnd>();
  readonly #late: NodeJS.Timeout;
  #inbox: GatewayDispatchPayload[] = [];
  #hello = false;
  #invalid = false;
  #over = false;

  /** @param url where to begin; a session names its own. @param session to go on with; null: a new one. Its number is asked for whenever it is told. */
  constructor(token: string, url: string, session: () => Session | null, pace: Pace, on: LineEvents) {
    this.#on = on;
    this.#shard = new WebSocketShard(this.#context(token, url, session, pace), 0);
    this.#shard.on(WebSocketShardEvents.Hello, () => {
      this.#hello = true;
    });
    this.#shard.on(WebSocketShardEvents.Dispatch, (payload) => this.#take(payload));
    this.#shard.on(WebSocketShardEvents.Resumed, () => {
      clearTimeout(this.#late);
      this.#flush();
      if (!this.#over) this.#on.resumed();
    });
    this.#shard.on(WebSocketShardEvents.Ready, () => clearTimeout(this.#late));
    this.#shard.on(WebSocketShardEvents.HeartbeatComplete, () => this.#on.heartbeat());
    this.#shard.on(WebSocketShardEvents.Closed, (code) => this.#end(code));
    // Both are followed by the end, which says what matters.
    this.#shard.on(WebSocketShardEvents.Error, () => undefined);
    this.#shard.on(WebSocketShardEvents.SocketError, () => undefined);
    this.#late = setTimeout(() => this.hangUp(), OPEN_MS);
    this.#shard.connect().catch(() => undefined);
  }

  /** Resolves when it is over. */
  get gone(): Promise<LineEnd> {
    return this.#gone.promise;
  }

  /** Ends it. Discord keeps the session for a while, and what it has to tell. */
  hangUp(): void {
    this.#end(LEFT);
    this.#shard.destroy({ code: LEFT }).catch(() => undefined);
  }

  #end(code: number): void {
    if (this.#over) return;
    this.#flush();
    this.#over = true;
    clearTimeout(this.#late);
    this.#gone.resolve({ code: code === 0 ? LOST : code, invalid: this.#invalid || SESSION_OVER.has(code) });
  }

  /** The SDK reads what arrived together side by side: it is put in order again. */
  #take(payload: GatewayDispatchPayload): void {
    if (this.#inbox.push(payload) === 1) setImmediate(() => this.#flush());
  }

  #flush(): void {
    const inbox = this.#inbox.toSorted((a, b) => a.s - b.s);
    this.#inbox = [];
    // What comes after the end comes again on the next line.
    if (!this.#over) for (const payload of inbox) this.#on.dispatch(payload);
  }

  #context(token: string, url: string, session: () => Session | null, pace: Pace): IContextFetchingStrategy {
    return {
      options: {
        token,
        version: VERSION,
        // A sum of bits is no member of the enum.
        // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
        intents: INTENTS,
        encoding: Encoding.JSON,
        compression: null,
        useIdentifyCompression: false,
        handshakeTimeout: HELLO_MS,
        helloTimeout: HELLO_MS,
        readyTimeout: HELLO_MS,
        identifyProperties: { os: process.platform, browser: "wirken", device: "wirken" },
        initialPresence: null,
        largeThreshold: null,
        shardCount: 1,
        gatewayInformation: {
          url,
          shards: 1,
          session_start_limit: { total: 1, remaining: 1, reset_after: 0, max_concurrency: 1 },
        },
      },
      // The SDK asks for this before it connects again by itself: that call is answered no more.
      retrieveSessionInfo: async () => {
        if (this.#over) return await new Promise<never>(() => undefined);
        return infoOf(session());
      },
      updateSessionInfo: (_shard, info) => {
        if (this.#over) return;
        if (info === null) this.#invalid ||= this.#hello;
        // Where it goes on from is a question of what is on the log: the SDK's own number is only what it has read.
        else if (session()?.id !== info.sessionId)
          this.#on.begun({ id: info.sessionId, url: info.resumeURL, seq: info.sequence });
      },
      waitForIdentify: async (_shard, signal) => {
        const wait = pace.identified + IDENTIFY_MS - performance.now();
        if (wait > 0) await pause(wait, signal);
        pace.identified = performance.now();
        this.#on.identifying();
      },
    };
  }
}

function infoOf(session: Session | null): SessionInfo | null {
  if (session === null) return null;
  return { shardId: 0, shardCount: 1, sessionId: session.id, sequence: session.seq, resumeURL: session.url };
}

/** @throws the signal's reason where that comes first. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const ended = (): void => reject(new Error("the line was closed"));
  signal.addEventListener("abort", ended, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", ended);
  }
}
