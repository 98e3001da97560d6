import { setTimeout as delay } from "node:timers/promises";
import type { REST } from "@discordjs/rest";
import type { GatewayDispatchPayload } from "discord-api-types/v10";
import type {
  Attachment,
  Connection,
  Credentials,
  Drafting,
  Edit,
  Host,
  LookUp,
  Order,
  Send,
  Start,
} from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import type { Draft } from "../outbox.ts";
import { BAD_TOKEN, openApi, tokenOf, trouble, UPLOAD_MS } from "./api.ts";
import { fetchFile } from "./files.ts";
import { gatewayOf, lineAddress } from "./gateway.ts";
import { accountOf, type Bot, introduce, NO_CONTENT, OddAnswer } from "./identity.ts";
import { Inbound } from "./inbound.ts";
import { Journal } from "./journal.ts";
import { Line, type LineEnd } from "./line.ts";
import { Outbound } from "./outbound.ts";
import { Progress } from "./progress.ts";
import type { Mark } from "./sequence.ts";

const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 60_000;
/** A line that held so long was closed for a reason of its own: the next one is tried at once. */
const HELD_MS = 60_000;
/** How often it is asked whether somebody else begins sessions with our token. */
const WATCH_MS = 600_000;

/** Codes after which trying again is useless. @see https://docs.discord.com/developers/topics/opcodes-and-status-codes#gateway */
const FATAL: ReadonlyMap<number, string> = new Map([
  [4_004, BAD_TOKEN],
  [4_010, "Discord refuses the number of this connection: this version of Wirken cannot connect there"],
  [
    4_011,
    "the bot is in more servers than one connection may serve (2,500): take it out of some, or make another bot for Wirken",
  ],
  [4_012, "Discord no longer speaks the version that this Wirken does: update it"],
  [4_013, "Discord refuses what this Wirken asks to hear: update it"],
  [4_014, NO_CONTENT],
]);

interface Verdict {
  /** Of no use to try again. */
  readonly final: boolean;
  readonly sentence: string;
  readonly waitMs: number;
  /** Discord was there, and knows nothing of the session any more: another is asked for without a back-off. */
  readonly forgotten?: boolean;
}

/** Talks to Discord: one line of the SDK's after the other, each going on behind what is on the log. */
export class DiscordConnection implements Connection {
  readonly #host: Host;
  readonly #start: Start;
  readonly #token: string | null;
  readonly #rest: REST;
  readonly #uploads: REST;
  readonly #outbound: Outbound;
  readonly #journal = new Journal();
  readonly #progress: Progress;
  readonly #stopping = new AbortController();
  readonly #pace = { identified: Number.NEGATIVE_INFINITY };
  #bot: Bot | null = null;
  #inbound: Inbound | null = null;
  #line: Line | null = null;
  #connected = false;
  /** Ends a wait, when the machine woke. */
  #waking = new AbortController();

  constructor(credentials: Credentials, start: Start, host: Host) {
    this.#host = host;
    this.#start = start;
    this.#token = tokenOf(credentials);
    const token = this.#token ?? "";
    this.#rest = openApi(token, start);
    this.#uploads = openApi(token, start, UPLOAD_MS);
    this.#progress = new Progress(start.cursor, (cursor) => host.cursor(cursor));
    this.#outbound = new Outbound(this.#rest, this.#uploads, this.#journal, {
      gone: (channel, why) => this.#gone(channel, why),
      refused: () => this.#line?.hangUp(),
    });
    if (this.#token === null) host.state("refused", null, BAD_TOKEN);
    else void this.#run(this.#token);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#line?.hangUp();
    this.#progress.close();
    for (const rest of [this.#rest, this.#uploads]) {
      rest.clearHashSweeper();
      rest.clearHandlerSweeper();
    }
  }

  /** The line goes on as another one: what was missed meanwhile is dispatched again. */
  wake(): void {
    this.#waking.abort();
    this.#waking = new AbortController();
    this.#line?.hangUp();
  }

  async #run(token: string): Promise<void> {
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stopping.signal.aborted) {
      const began = performance.now();
      const waking = this.#waking.signal;
      const verdict = await this.#connect(token);
      const was = this.#connected;
      this.#connected = false;
      if (this.#stopping.signal.aborted) return;
      this.#host.state(verdict.final ? "refused" : "reconnecting", this.#account, verdict.sentence);
      if (verdict.final) return;
      // Discord moves its lines from time to time: a session goes on at once.
      if ((was && performance.now() - began > HELD_MS) || verdict.forgotten === true) backoff = FIRST_BACKOFF_MS;
      const wait = waking.aborted || (was && backoff === FIRST_BACKOFF_MS) ? 0 : Math.max(backoff, verdict.waitMs);
      await this.#pause(wait, waking);
      backoff = waking.aborted ? FIRST_BACKOFF_MS : Math.min(backoff * 2, LAST_BACKOFF_MS);
    }
  }

  get #account(): string | null {
    return this.#bot === null ? null : accountOf(this.#bot);
  }

  /** Connects, and stays so as long as it lasts. @returns why it is over. */
  async #connect(token: string): Promise<Verdict> {
    try {
      const introduced = this.#bot === null ? await introduce(this.#rest) : { bot: this.#bot };
      if ("failure" in introduced) return { final: true, sentence: introduced.sentence, waitMs: 0 };
      this.#know(introduced.bot);
      const url = await this.#whereTo();
      if (typeof url !== "string") return url;
      if (this.#stopping.signal.aborted) return { final: false, sentence: "", waitMs: 0 };
      const line = this.#open(token, url);
      this.#line = line;
      const watch = setInterval(() => void this.#watch(), WATCH_MS);
      const end = await line.gone;
      clearInterval(watch);
      this.#line = null;
      return this.#verdict(end);
    } catch (error) {
      if (error instanceof OddAnswer) return { final: false, sentence: error.message, waitMs: 0 };
      const { failure, sentence, waitMs } = trouble(error);
      return { final: failure === "refused", sentence, waitMs };
    }
  }

  #know(bot: Bot): void {
    if (this.#bot !== null) return;
    this.#bot = bot;
    this.#progress.of(bot.id);
    this.#inbound = new Inbound(this.#host, this.#rest, bot, this.#progress, this.#journal, this.#stopping.signal);
  }

  /** Where a session goes on, or a new one is begun. */
  async #whereTo(): Promise<string | Verdict> {
    const session = this.#progress.session;
    if (session !== null) {
      const url = lineAddress(session.url, this.#start);
      if (url !== null) return url;
      this.#progress.over();
    }
    const gateway = await gatewayOf(this.#rest, this.#start);
    this.#count(gateway.left, gateway.resetMs);
    return gateway.waitMs > 0 ? { final: false, sentence: gateway.sentence, waitMs: gateway.waitMs } : gateway.url;
  }

  #open(token: string, url: string): Line {
    const line = new Line(token, url, () => this.#progress.session, this.#pace, {
      identifying: () => this.#progress.identifying(),
      begun: (session) => {
        const before = this.#progress.began(session);
        this.#up();
        this.#inbound?.catchUp(before);
      },
      resumed: () => {
        this.#progress.touch();
        this.#up();
        void this.#watch();
      },
      heartbeat: () => this.#progress.touch(),
      dispatch: (payload) => this.#take(payload),
    });
    return line;
  }

  #up(): void {
    this.#connected = true;
    this.#host.state("connected", this.#account);
  }

  #take({ t: name, s: number, d: data }: GatewayDispatchPayload): void {
    const done = this.#progress.begin(number);
    if (done === null) return;
    void this.#follow(this.#inbound?.hear(name, data), done);
  }

  async #follow(hearing: Promise<Mark | null> | undefined, done: (mark: Mark | null) => void): Promise<void> {
    let mark: Mark | null = null;
    try {
      mark = (await hearing) ?? null;
    } catch {
      // What is stopped is not done: it comes again.
      if (this.#stopping.signal.aborted) return;
      this.#host.notice(
        { about: "degraded", place: null, from: null, to: null },
        "something that Discord told met an error of ours and was passed over",
      );
    }
    done(mark);
  }

  #verdict({ code, invalid }: LineEnd): Verdict {
    const fatal = FATAL.get(code);
    const resumed = this.#progress.session !== null;
    if (invalid || fatal !== undefined) this.#progress.over();
    if (fatal !== undefined) return { final: true, sentence: fatal, waitMs: 0 };
    const sentence = invalid ? "Discord ended the session" : "the connection to Discord was lost";
    return { final: false, sentence, waitMs: 0, forgotten: invalid && resumed };
  }

  /** Each new session of this token counts, whoever begins it. */
  #count(left: number, resetMs: number): void {
    const now = Date.now();
    if (!this.#progress.counted({ left, until: now + resetMs }, now)) return;
    this.#host.notice(
      { about: "foreign-use", place: null, from: null, to: null },
      "somebody else begins sessions with this bot's token: stop the other program, or reset the token on discord.com/developers/applications and run `wirken vault rotate discord`",
    );
  }

  async #watch(): Promise<void> {
    try {
      const { left, resetMs } = await gatewayOf(this.#rest, this.#start);
      this.#count(left, resetMs);
    } catch {
      // Asked again in a while.
    }
  }

  #gone(channel: string, why: string): void {
    if (this.#inbound !== null) this.#inbound.removed(channel, null, why);
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    if (this.#token === null) throw new SendFailure("refused", BAD_TOKEN);
    return this.#outbound.compose(message, text, files);
  }

  replace(edit: Edit, text: string): Draft[] {
    if (this.#token === null) throw new SendFailure("refused", BAD_TOKEN);
    return this.#outbound.replace(edit, text);
  }

  async draft(draft: Drafting, text: string): Promise<readonly string[]> {
    return await this.#outbound.draft(draft, text);
  }

  typing(place: string, thread: string | null): void {
    this.#outbound.typing(place, thread);
  }

  async react(place: string, thread: string | null, message: string, mark: Order<"react">["mark"]): Promise<void> {
    await this.#outbound.react(thread ?? place, message, mark);
  }

  async file(handle: string, limit: number): Promise<Uint8Array> {
    return await fetchFile(this.#rest, this.#start, handle, limit);
  }

  async openDirect(user: string): Promise<string | null> {
    return await this.#outbound.openDirect(user);
  }

  async lookUp(message: LookUp): ReturnType<Journal["lookUp"]> {
    if (this.#bot === null) return { outcome: "unknown", ids: [] };
    return await this.#journal.lookUp(this.#rest, this.#bot.id, message);
  }

  async #pause(ms: number, waking: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.#stopping.signal, waking]);
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}
