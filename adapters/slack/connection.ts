import { setTimeout as delay } from "node:timers/promises";
import { App } from "@slack/bolt";
import type { WebClient } from "@slack/web-api";
import type { Connection, Credentials, Edit, Host, Send, Start } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import type { Draft } from "../outbox.ts";
import { markdown } from "../markdown.ts";
import { type Span, span } from "../spans.ts";
import {
  client,
  options,
  platformCode,
  sendFailure,
  SILENT,
  type Tokens,
  tokensOf,
  type Trouble,
  trouble,
} from "./api.ts";
import { convert } from "./convert.ts";
import { format, formatSpans, type Part } from "./format.ts";
import { accountOf, type Identity, introduce, isOneApp, missingScopes, TWO_APPS } from "./identity.ts";
import { Names } from "./names.ts";
import { HeldReceiver } from "./receiver.ts";

const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 30_000;
/** Messages remembered by channel and time: a mention comes as two events. The supervisor drops what is older than these. */
const MAX_SEEN = 1_000;

const SOCKET_MODE_OFF =
  "Socket Mode is turned off for the Slack app: turn it on under Socket Mode on api.slack.com/apps";

/** Talks to Slack: Bolt for what comes in, by a receiver that holds acknowledgements back, and the Web API for what goes out. */
export class SlackConnection implements Connection {
  readonly #host: Host;
  readonly #start: Start;
  readonly #tokens: Tokens | null;
  /** Another one once the bot token was renewed. */
  #web: WebClient | null;
  readonly #names: Names | null;
  readonly #receiver: HeldReceiver | null;
  readonly #stopping = new AbortController();
  readonly #heard = new Map<string, Promise<void>>();
  #identity: Identity | null = null;
  #listening = false;
  /** The line stands, and Slack has said whose it is. */
  #up = false;
  /** Whether Slack shows our "is thinking…"; an app without that feature is told once. */
  #status = true;

  constructor(credentials: Credentials, start: Start, host: Host) {
    this.#host = host;
    this.#start = start;
    const tokens = tokensOf(credentials);
    this.#tokens = "failure" in tokens ? null : tokens;
    const web = this.#tokens === null ? null : client(this.#tokens.bot, start);
    this.#web = web;
    this.#names = web === null ? null : new Names(() => this.#web ?? web);
    this.#receiver = this.#tokens === null ? null : new HeldReceiver(this.#tokens.app, start);
    if ("failure" in tokens) host.state("refused", null, tokens.sentence);
    else void this.#run();
  }

  /** The line to Slack is of the app token, which stays: only what goes out changes. */
  adopt(credentials: Credentials): void {
    const tokens = tokensOf(credentials);
    if ("failure" in tokens) {
      this.#host.state("refused", null, tokens.sentence);
      return;
    }
    const web = client(tokens.bot, this.#start);
    this.#web = web;
    // What is being connected just now says what it finds.
    if (this.#up) void this.#introduceAgain(web);
    else this.#identity = null;
  }

  async #introduceAgain(web: WebClient): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (this.#up && this.#web === web && !this.#stopping.signal.aborted) {
      try {
        const identity = await introduce(web);
        if (this.#up && this.#web === web) this.#host.state("connected", accountOf(identity));
        return;
      } catch (error) {
        const { failure, sentence, waitMs } = trouble(error, "bot");
        if (isFinal(failure)) {
          this.#host.state("refused", null, sentence);
          return;
        }
        await this.#pause(Math.max(backoff, waitMs));
        backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#receiver?.stop();
  }

  async #run(): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stopping.signal.aborted) {
      const began = performance.now();
      const verdict = await this.#connect();
      this.#up = false;
      if (this.#stopping.signal.aborted) return;
      if (verdict.renewed === true) continue;
      const account = this.#identity === null ? null : accountOf(this.#identity);
      this.#host.state(verdict.final ? "refused" : "reconnecting", account, verdict.sentence);
      if (verdict.final) return;
      // A line that held for a while was closed for a reason of its own: the next one is tried at once.
      if (performance.now() - began > LAST_BACKOFF_MS) backoff = FIRST_BACKOFF_MS;
      await this.#pause(Math.max(backoff, verdict.waitMs));
      backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
    }
  }

  /** Connects, and stays so as long as it lasts. @returns why it is over. */
  async #connect(): Promise<Verdict> {
    let which: "bot" | "app" = "bot";
    try {
      const { identity, web, receiver } = await this.#introduced();
      const scopes = missingScopes(identity);
      if (scopes !== null) return final(scopes);
      which = "app";
      const app = await receiver.start();
      if (!(await isOneApp(web, identity, app))) {
        await receiver.stop();
        return final(TWO_APPS);
      }
      const renewed = this.#web;
      if (renewed !== null && renewed !== web) this.#identity = await introduce(renewed);
      this.#up = true;
      this.#host.state("connected", accountOf(identity));
      const reason = await receiver.gone();
      if (reason === "link_disabled") return final(SOCKET_MODE_OFF);
      return { final: false, sentence: "the connection to Slack was lost", waitMs: 0 };
    } catch (error) {
      const { failure, sentence, waitMs } = trouble(error, which);
      const renewed = platformCode(error) === "token_expired" && (await this.#host.renew());
      return { final: isFinal(failure), sentence, waitMs, renewed };
    }
  }

  async #introduced(): Promise<{ identity: Identity; web: WebClient; receiver: HeldReceiver }> {
    const web = this.#web;
    const receiver = this.#receiver;
    const tokens = this.#tokens;
    if (web === null || receiver === null || tokens === null) throw new Error("there are no tokens");
    const identity = (this.#identity ??= await introduce(web));
    if (!this.#listening) this.#listen(tokens, identity, receiver);
    this.#listening = true;
    return { identity, web, receiver };
  }

  /** Bolt gives itself to the receiver, and the receiver gives it what comes. */
  #listen(tokens: Tokens, identity: Identity, receiver: HeldReceiver): void {
    const app = new App({
      token: tokens.bot,
      botId: identity.botId,
      botUserId: identity.user,
      // It was just verified.
      tokenVerificationEnabled: false,
      receiver,
      convoStore: false,
      logger: SILENT,
      clientOptions: options(this.#start),
    });
    // An error must reach the receiver: it then does not acknowledge.
    app.error(async (error) => {
      throw error;
    });
    app.event("app_mention", async ({ event }) => await this.#hear(event, identity));
    app.event("message", async ({ event }) => await this.#hear(event, identity));
  }

  /** Resolves once the message is on the log, or is none for us. */
  async #hear(event: unknown, identity: Identity): Promise<void> {
    const heard = convert(event, identity);
    if (heard === null) return;
    const { message, user, text } = heard;
    const before = this.#heard.get(message.dedupe);
    if (before !== undefined) {
      await before;
      return;
    }
    const onLog = this.#host.inbound(message, this.#names?.of(user) ?? user, text);
    this.#heard.set(message.dedupe, onLog);
    const [oldest] = this.#heard.keys();
    if (this.#heard.size > MAX_SEEN && oldest !== undefined) this.#heard.delete(oldest);
    await onLog;
  }

  compose(message: Send, text: string): Draft[] {
    const { card, style } = message;
    const parts = card === null ? format(text, style) : formatSpans(cardSpans(message, card, text, this.#identity));
    if (parts.length === 0) throw new SendFailure("refused", "there is nothing in the message to show");
    return parts.map((part) => ({
      post: async (formatted) =>
        await this.#call(async (web) => {
          const say = web.chat.postMessage;
          const { ts } = await say({
            channel: message.place,
            text: part.text,
            ...blocksOf(part, formatted),
            ...(message.thread === null ? {} : { thread_ts: message.thread }),
            mrkdwn: false,
            unfurl_links: false,
            unfurl_media: false,
          });
          return sentAs(ts);
        }),
    }));
  }

  /** The last messages get the new text: the card ends there; what stood before it stays to be read. */
  replace(edit: Edit, text: string): Draft[] {
    const parts = format(text, "plain");
    const ids = edit.ids.slice(Math.max(0, edit.ids.length - parts.length));
    if (parts.length === 0) throw new SendFailure("refused", "there is nothing in the message to show");
    if (parts.length > ids.length)
      throw new SendFailure("too-large", "the new text has more parts than the message it replaces");
    return parts.map((part, i) => ({
      post: async (formatted) =>
        await this.#call(async (web) => {
          const ts = ids[i] ?? "";
          // An empty list takes away the blocks that were there before.
          await web.chat.update({ channel: edit.place, ts, text: part.text, blocks: formatted ? part.blocks : [] });
          return ts;
        }),
    }));
  }

  typing(place: string, thread: string | null): void {
    if (thread === null || !this.#status || this.#web === null) return;
    const shown = this.#web.assistant.threads.setStatus({
      channel_id: place,
      thread_ts: thread,
      status: "is thinking…",
    });
    shown.catch(() => {
      this.#status = false;
    });
  }

  /** @throws {SendFailure} */
  async #call(call: (web: WebClient) => Promise<string>): Promise<string> {
    if (this.#web === null) throw new SendFailure("refused", "there are no Slack tokens: run `wirken vault add slack`");
    try {
      return await call(this.#web);
    } catch (error) {
      // A token that is past its end sent nothing: with another one the message goes out after all.
      if (platformCode(error) !== "token_expired" || !(await this.#host.renew())) throw sendFailure(error);
    }
    try {
      return await call(this.#web);
    } catch (error) {
      throw sendFailure(error);
    }
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}

interface Verdict {
  /** Of no use to try again. */
  readonly final: boolean;
  readonly sentence: string;
  readonly waitMs: number;
  /** Another bot token is in use: it is connected with at once. */
  readonly renewed?: boolean;
}

function isFinal(failure: Trouble["failure"]): boolean {
  return failure === "refused" || failure === "mixed-up" || failure === "scope-missing";
}

function final(sentence: string): Verdict {
  return { final: true, sentence, waitMs: 0 };
}

function blocksOf(part: Part, formatted: boolean): object {
  return formatted ? { blocks: part.blocks } : {};
}

function sentAs(ts: string | undefined): string {
  if (ts === undefined) throw new SendFailure("unknown", "Slack took the message and did not say as what");
  return ts;
}

/** A card, to the letter, and under it how to decide: here without buttons, by its code. In a channel the bot must be called. */
function cardSpans(message: Send, card: NonNullable<Send["card"]>, text: string, identity: Identity | null): Span[] {
  const call = message.place.startsWith("D") || identity === null ? "" : `@${identity.name} `;
  const shown =
    message.style === "markdown" ? markdown(text) : [span(text, { pre: message.style === "plain" ? null : "" })];
  const reply = (verb: string): Span => span(`${call}${verb} ${card.code}`, { code: true });
  return [...shown, span("\nTo decide, reply "), reply("approve"), span(" or "), reply("deny"), span(".")];
}
