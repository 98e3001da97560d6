import { setTimeout as delay } from "node:timers/promises";
import type { App } from "@slack/bolt";
import type { WebClient } from "@slack/web-api";
import {
  type Attachment,
  type Connection,
  type Credentials,
  type Drafting,
  type Edit,
  type Host,
  type LookUp,
  type Order,
  type Send,
  type Start,
} from "../adapter.ts";
import type { Draft } from "../outbox.ts";
import { client, platformCode, type Tokens, tokensOf, type Trouble, trouble } from "./api.ts";
import { Calls } from "./calls.ts";
import { fileOf } from "./files.ts";
import { accountOf, type Identity, introduce, isOneApp, lackingScopes, missingScopes, TWO_APPS } from "./identity.ts";
import { InboundSlack } from "./inbound.ts";
import { Lines, RECHECK_MS } from "./lines.ts";
import { listen } from "./listen.ts";
import { Names } from "./names.ts";
import { Writer } from "./writer.ts";

const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 30_000;
/** That somebody else uses the app is said again after this. */
const SAY_AGAIN_MS = 3_600_000;

const SOCKET_MODE_OFF =
  "Socket Mode is turned off for the Slack app: turn it on under Socket Mode on api.slack.com/apps";
const REVOKED =
  "the Slack app was taken out of the workspace, or its tokens were revoked: install it again and run `wirken vault add slack`";

/** Talks to Slack: what comes in by its lines, what goes out by the Web API. */
export class SlackConnection implements Connection {
  readonly #host: Host;
  readonly #start: Start;
  readonly #tokens: Tokens | null;
  /** Another one once the bot token was renewed. */
  #web: WebClient | null;
  readonly #calls: Calls;
  readonly #inbound: InboundSlack;
  readonly #writer: Writer;
  readonly #lines: Lines;
  readonly #app: App;
  readonly #stopping = new AbortController();
  /** Ends a wait before the next try. */
  #awake = new AbortController();
  #identity: Identity | null = null;
  /** The line stands, and Slack has said whose it is. */
  #up = false;
  /** Slack refused it for good: it is said once. */
  #refused = false;
  #saidLacking = false;
  #saidShared = Number.NEGATIVE_INFINITY;

  /** @param _kept nothing is kept between its runs but where to go on. @param recheckMs how long another line of the app is let be before it is taken for somebody else's. */
  constructor(
    credentials: Credentials,
    start: Start,
    host: Host,
    _kept: readonly Uint8Array[] = [],
    recheckMs = RECHECK_MS,
  ) {
    this.#host = host;
    this.#start = start;
    const tokens = tokensOf(credentials);
    this.#tokens = "failure" in tokens ? null : tokens;
    this.#web = this.#tokens === null ? null : client(this.#tokens.bot, start);
    this.#calls = new Calls({
      web: () => this.#web,
      host,
      refused: (sentence) => this.#refuse(sentence),
      gone: (place) => this.#inbound.left(place),
    });
    const calls = this.#calls;
    this.#inbound = new InboundSlack({
      host,
      calls,
      names: new Names(calls),
      cursor: start.cursor,
      stopping: this.#stopping.signal,
      taken: (place, thread, message) => this.#writer.heard(place, thread, message),
      answer: (where, sentence) => void this.#writer.whisper(where, sentence).catch(() => undefined),
      revoked: () => this.#refuse(REVOKED),
    });
    this.#writer = new Writer({
      calls,
      start,
      identity: () => this.#identity,
      wrote: (place, thread, ts) => this.#inbound.wrote(place, thread, ts),
    });
    this.#lines = new Lines({
      appToken: this.#tokens?.app ?? "",
      start,
      shared: (others) => this.#shared(others),
      recheckMs,
    });
    this.#app = listen({ start, receiver: this.#lines, inbound: this.#inbound, identity: () => this.#identity });
    if ("failure" in tokens) this.#refuse(tokens.sentence);
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
    this.#inbound.stop();
    this.#stopping.abort();
    await this.#app.stop();
  }

  wake(): void {
    this.#awake.abort();
    this.#awake = new AbortController();
    if (!this.#up) return;
    // Where no line comes about, the loop that waits for the last one to go tries again.
    void this.#lines.renew().then((renewed) => {
      if (renewed && this.#up && this.#identity !== null) this.#inbound.connected(this.#identity);
    });
  }

  /** Slack takes nothing of ours any more: that is said once, and nothing more is asked of it. */
  #refuse(sentence: string): void {
    if (this.#refused || this.#stopping.signal.aborted) return;
    this.#refused = true;
    this.#calls.refuse(sentence);
    this.#host.state("refused", this.#identity === null ? null : accountOf(this.#identity), sentence);
    void this.#app.stop();
  }

  #sayLacking(identity: Identity): void {
    const sentence = this.#saidLacking ? null : lackingScopes(identity);
    this.#saidLacking = true;
    if (sentence !== null) this.#host.notice({ about: "degraded", place: null, from: null, to: null }, sentence);
  }

  #shared(others: number): void {
    const now = performance.now();
    if (now - this.#saidShared < SAY_AGAIN_MS) return;
    this.#saidShared = now;
    const sentence = `${others === 1 ? "another program uses" : `${others} other programs use`} this Slack app's token, and Slack gives each message to one of them: stop it, or make an app of its own for each`;
    this.#host.notice({ about: "foreign-use", place: null, from: null, to: null }, sentence);
  }

  async #run(): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stopping.signal.aborted && !this.#refused) {
      const began = performance.now();
      const verdict = await this.#connect();
      this.#up = false;
      if (this.#stopping.signal.aborted || this.#refused) return;
      if (verdict.renewed === true) continue;
      if (verdict.final) {
        this.#refuse(verdict.sentence);
        return;
      }
      const account = this.#identity === null ? null : accountOf(this.#identity);
      this.#host.state("reconnecting", account, verdict.sentence);
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
      const web = this.#web;
      if (web === null) throw new Error("there are no tokens");
      const identity = (this.#identity ??= await introduce(web));
      const scopes = missingScopes(identity);
      if (scopes !== null) return final(scopes);
      which = "app";
      this.#inbound.expect(identity);
      const app = await this.#lines.start();
      if (!(await isOneApp(web, identity, app))) return final(TWO_APPS);
      const renewed = this.#web;
      if (renewed !== null && renewed !== web) this.#identity = await introduce(renewed);
      this.#up = true;
      this.#host.state("connected", accountOf(identity));
      this.#sayLacking(identity);
      this.#inbound.connected(identity);
      const reason = await this.#lines.gone();
      if (reason === "link_disabled") return final(SOCKET_MODE_OFF);
      return { final: false, sentence: "the connection to Slack was lost", waitMs: 0 };
    } catch (error) {
      const { failure, sentence, waitMs } = trouble(error, which);
      const renewed = platformCode(error) === "token_expired" && (await this.#host.renew());
      return { final: isFinal(failure), sentence, waitMs, renewed };
    }
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    return this.#writer.compose(message, text, files);
  }

  replace(edit: Edit, text: string): Draft[] {
    return this.#writer.replace(edit, text);
  }

  typing(place: string, thread: string | null): void {
    this.#writer.typing(place, thread);
  }

  async draft(draft: Drafting, text: string): Promise<readonly string[]> {
    return await this.#writer.draft(draft, text);
  }

  async react(place: string, _thread: string | null, message: string, mark: Order<"react">["mark"]): Promise<void> {
    await this.#writer.react(place, message, mark);
  }

  async file(handle: string, limit: number): Promise<Uint8Array> {
    return await fileOf(this.#calls, this.#start, handle, limit);
  }

  async openDirect(user: string): Promise<string | null> {
    return await this.#writer.openDirect(user);
  }

  async lookUp(asked: LookUp): ReturnType<Writer["lookUp"]> {
    return await this.#writer.lookUp(asked);
  }

  async #pause(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, this.#awake.signal]);
    await delay(ms, undefined, { signal }).catch(() => undefined);
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
