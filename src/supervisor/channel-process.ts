import { setTimeout as delay } from "node:timers/promises";
import { addressOnLane } from "../ipc/local-socket.ts";
import { FromAdapter, type ToAdapter } from "../ipc/adapter-frames.ts";
import { type AdapterChannel, platformOf, talks } from "../ipc/channel.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { isAnswer } from "./adapter-questions.ts";
import type { AdapterCarrier } from "./adapter-carrier.ts";
import type { ChannelHealth } from "./channel-health.ts";
import type { ChannelTalk } from "./channel-talk.ts";
import type { CredentialRenewal } from "./credential-renewal.ts";
import type { Verdict } from "./credentials.ts";
import { Intake, type Source } from "./intake.ts";
import { KeptError, type KeptRecords } from "./kept-records.ts";
import type { Kept, Processes, SecretOf, StartedChild } from "./processes.ts";
import type { Reach } from "./reach-list.ts";
import { RenewalExchange } from "./renewal-exchange.ts";
import type { State } from "./state.ts";

/** The text of one message; no platform lets a person write nearly as much. */
const MAX_INBOUND_BYTES = 1_048_576;
/** A sentence for the operator, in characters. */
const MAX_NOTE = 500;
/** A process that was given new credentials has this long to be connected with them. */
const HAND_OVER_MS = 60_000;
/** What a platform gave and the vault does not hold yet has this long to get there before its process ends. */
const SEAL_MS = 5_000;

type ChannelState = AnswerTo<"channel.enable">["state"];
type Line = StartedChild<ToAdapter>;

/** Why a channel gets no credentials, and what mends that. */
export interface Withheld {
  readonly state: "no-credentials" | "locked" | "refused";
  readonly note: string;
}

export interface ChannelProcessParts {
  readonly state: State;
  readonly processes: Processes;
  readonly kept: Pick<KeptRecords, "add" | "of">;
  /** What people say and press on this channel. */
  readonly talk: Pick<ChannelTalk<symbol>, "receive" | "press" | "change" | "knows">;
  /** The other end of the channel's link. */
  readonly carrier: AdapterCarrier;
  /** Where its credentials are, or why they cannot be had. */
  readonly secrets: () => readonly SecretOf[] | Withheld;
  readonly reach: () => Reach;
  /** It is connected with this version, for which nobody waited. */
  readonly worked: (secret: SecretOf, account: string | null) => Promise<void>;
  /** The platform refused this version. @returns what is in force instead, where there is something to go back to. */
  readonly failed: (secret: SecretOf) => Promise<SecretOf | null>;
  readonly renewals: () => CredentialRenewal;
  readonly health: ChannelHealth;
  /** It says something that the owner should know: recorded. */
  readonly noticed: (notice: Extract<FromAdapter, { type: "notice" }>, sentence: string) => Promise<void>;
}

/** The process of one channel: begun and ended, its frames heard, its credentials handed over, and how all that went. */
export class ChannelProcess {
  readonly channel: AdapterChannel;
  readonly #parts: ChannelProcessParts;
  #kept: Kept<ToAdapter> | null = null;
  #state: ChannelState = "disabled";
  #account: string | null = null;
  #note: string | null = null;
  #apiRoot: string | null = null;
  /** The credential that it connects with. */
  #inUse: SecretOf | null = null;
  /** One that was handed over, and is in use from its `switched` on. */
  #handed: { readonly ref: number; readonly secret: SecretOf } | null = null;
  /** Who waits for what becomes of a version. */
  #waiting: { readonly version: number; readonly settle: (verdict: Verdict) => void } | null = null;
  /** It asks its platform for another token, or has one that the vault does not hold yet. */
  #renewing: { readonly exchange: RenewalExchange; readonly over: Promise<void> } | null = null;
  #ref = 0;

  constructor(channel: AdapterChannel, parts: ChannelProcessParts) {
    this.channel = channel;
    this.#parts = parts;
  }

  /** One runs, or is to. */
  get runs(): boolean {
    return this.#kept !== null;
  }
  get state(): ChannelState {
    return this.#state;
  }
  get account(): string | null {
    return this.#account;
  }
  get note(): string | null {
    return this.#note;
  }
  /** The address of the platform's server that it was begun with; null: the platform's own. */
  get apiRoot(): string | null {
    return this.#apiRoot;
  }

  /** Says of one that does not run why. */
  mark(state: ChannelState, note: string | null = this.#note): void {
    this.#state = state;
    this.#note = note;
  }

  begin(apiRoot: string | null, cause: number | null): void {
    const { channel } = this;
    const { carrier, processes, state } = this.#parts;
    if (!talks(platformOf(channel))) {
      this.mark("failed", `this version does not talk on ${platformOf(channel)}`);
      return;
    }
    const secrets = this.#parts.secrets();
    if ("state" in secrets) {
      this.mark(secrets.state, secrets.note);
      return;
    }
    carrier.expect();
    this.mark("connecting", null);
    this.#apiRoot = apiRoot;
    const onLane = apiRoot === null ? null : addressOnLane(apiRoot);
    const intake = new Intake();
    /** The process that runs now: what one of before asked is not answered to the next, whose numbers begin anew. */
    let current: { readonly line: Line; readonly source: Source } | null = null;
    const kept: Kept<ToAdapter> = processes.keep<FromAdapter, ToAdapter>({
      role: "adapter",
      args: [platformOf(channel)],
      subject: channel,
      accepts: FromAdapter,
      stop: { type: "stop" },
      secret: (name) => ({ type: "secret", name }),
      cause,
      reach: () => this.#parts.reach(),
      secrets: () => {
        const now = this.#parts.secrets();
        return "state" in now ? secrets : now;
      },
      started: async (child, given) => {
        this.#inUse = given[0] ?? null;
        this.#handed = null;
        current = { line: child, source: intake.from(child) };
        carrier.attach((header, payload) => child.send(header, payload));
        if (!(await this.#handKept(child))) return;
        await child.send({ type: "start", check: false, cursor: state.cursor(channel), apiRoot: onLane });
      },
      hear: (header, payload) => {
        if (header.type === "delivered" || header.type === "undelivered") {
          if (!carrier.settle(header, payload)) kept.broke("an answer to nothing");
          return;
        }
        if (isAnswer(header)) {
          if (!carrier.questions.settle(header, payload)) kept.broke("an answer to nothing");
          return;
        }
        const from = current;
        if (from === null) return;
        if (header.type === "store") {
          // In its own order and not behind what people say: an encrypted message is read only once its keys are kept.
          void this.#keep(from.line, header, payload, (why) => {
            if (from === current) kept.broke(why);
          });
          return;
        }
        if ((header.type === "inbound" || header.type === "changed") && payload.length > MAX_INBOUND_BYTES) {
          kept.broke(`a message of more than ${MAX_INBOUND_BYTES} bytes`);
          return;
        }
        from.source.add(
          payload.length,
          () => this.#heard(from.line, header, payload),
          () => {
            if (from === current) kept.broke("a message that could not be recorded");
          },
        );
      },
      down: () => {
        current = null;
        this.#renewing?.exchange.lost();
        this.#parts.health.disconnected();
        carrier.detach();
        if (this.#state === "connected") this.mark("reconnecting");
      },
      givenUp: (why) => this.mark("failed", `${why}; fix it and run wirken channel enable ${channel}`),
    });
    this.#kept = kept;
  }

  async #heard(from: Line, header: FromAdapter, payload: Uint8Array): Promise<void> {
    const { carrier, state, talk } = this.#parts;
    switch (header.type) {
      case "inbound": {
        const again = await talk.receive(header, payload);
        this.#parts.health.heard(again);
        await from.send({ type: "acknowledged", ref: header.ref, again });
        return;
      }
      case "pressed": {
        const sentence = await talk.press(header);
        await from.send({ type: "answer", ref: header.ref }, Buffer.from(sentence));
        await from.send({ type: "acknowledged", ref: header.ref, again: false });
        return;
      }
      case "cursor":
        state.saveCursor(this.channel, header.cursor);
        return;
      case "state":
        this.#account = header.account ?? this.#account;
        this.mark(header.state);
        if (header.state === "connected") {
          this.#note = null;
          this.#parts.health.connected();
          carrier.connected();
        } else {
          this.#parts.health.disconnected();
          carrier.disconnected();
        }
        if (header.state === "refused") this.#note = this.#sentenceOf(payload);
        await this.#judged(header.state, this.#note ?? `${this.channel} refused it`);
        return;
      case "switched":
        if (this.#handed?.ref !== header.ref) return;
        this.#inUse = this.#handed.secret;
        this.#handed = null;
        return;
      case "renewal":
        if (this.#renewing !== null) this.#kept?.broke("a renewal within a renewal");
        // Not waited for: what it hears comes on the same pipe.
        else void this.#renew(from, header.ref);
        return;
      case "renewed":
      case "unrenewed":
        if (this.#renewing?.exchange.take(header, payload) !== true)
          this.#kept?.broke("what was renewed, in no form that is known here");
        return;
      case "changed": {
        const again = await talk.change(header, payload);
        await from.send({ type: "acknowledged", ref: header.ref, again });
        return;
      }
      case "knows":
        await from.send({ type: "known", ref: header.ref, known: talk.knows(header.user) });
        return;
      case "notice":
        await this.#parts.noticed(header, this.#sentenceOf(payload));
        return;
      case "ready":
      case "checked":
      case "exchanged":
      case "delivered":
      case "undelivered":
      case "store":
      case "file":
      case "file.failed":
      case "direct":
      case "looked-up":
        return;
    }
  }

  /** @returns false if what it had kept is not as it was: it is not begun without that, because it would begin anew and be another. */
  async #handKept(child: Line): Promise<boolean> {
    try {
      for (const record of this.#parts.kept.of(this.channel)) await child.send({ type: "record" }, record);
      return true;
    } catch (error) {
      if (!(error instanceof KeptError)) throw error;
      // Not waited for: its end is waited for where it is begun.
      void this.shut().then(() => this.mark("failed", error.message));
      return false;
    }
  }

  async #keep(
    from: Line,
    { ref, replaces }: Extract<FromAdapter, { type: "store" }>,
    record: Uint8Array,
    broke: (why: string) => void,
  ): Promise<void> {
    try {
      await this.#parts.kept.add(this.channel, record, replaces);
      await from.send({ type: "stored", ref });
    } catch (error) {
      if (error instanceof KeptError) broke(error.message);
    }
  }

  /** What the adapter says to the operator. It knows its platform and not its own name, which the command that mends something is given. */
  #sentenceOf(payload: Uint8Array): string {
    const platform = platformOf(this.channel);
    const said = Buffer.from(payload).toString("utf8");
    return said
      .replaceAll(new RegExp(`\\b(wirken vault (?:add|rotate)) ${platform}\\b(?!:)`, "g"), `$1 ${this.channel}`)
      .slice(0, MAX_NOTE);
  }

  async #renew(from: Line, ref: number): Promise<void> {
    const exchange = new RenewalExchange(this.channel, ref, async (frame) => await from.send(frame));
    if (this.#inUse === null) return await exchange.deny(HAND_OVER_MS);
    const { promise: over, resolve: done } = Promise.withResolvers<void>();
    this.#renewing = { exchange, over };
    const sealed = (): void => {
      this.#renewing = null;
      done();
    };
    const renewing = exchange.renewing(this.#inUse, async (secret, tell) => {
      sealed();
      return await this.#verdict(secret, async () => {
        this.#handed = { ref, secret };
        await tell();
      });
    });
    await this.#parts
      .renewals()
      .run(renewing)
      .finally(() => {
        if (this.#renewing?.exchange === exchange) sealed();
      });
  }

  /** It said what the platform makes of the credential that it has. */
  async #judged(state: ChannelState, sentence: string): Promise<void> {
    const inUse = this.#inUse;
    const waiting = this.#waiting;
    if (inUse === null || (state !== "connected" && state !== "refused")) return;
    if (waiting !== null && waiting.version === inUse.version) {
      waiting.settle(state === "connected" ? { works: true, account: this.#account } : { works: false, sentence });
      return;
    }
    if (state === "connected") await this.#parts.worked(inUse, this.#account);
    else {
      const before = await this.#parts.failed(inUse);
      // Not waited for: it is answered on the pipe that this is heard on.
      if (before !== null) void this.#hand(before).catch(() => undefined);
    }
  }

  /** It gets a new version and connects anew with it; what is to be sent meanwhile is held. @throws {Error} when none runs. */
  async #hand(secret: SecretOf): Promise<void> {
    const kept = this.#kept;
    if (kept === null) throw new Error("the channel was stopped");
    await kept.whenReady(HAND_OVER_MS);
    this.#parts.carrier.disconnected();
    this.mark("reconnecting", null);
    this.#ref += 1;
    const ref = this.#ref;
    await kept.hand(secret);
    this.#handed = { ref, secret };
    await kept.send({ type: "reconnect", ref });
  }

  /** Hands it a new version of its credentials, with which it goes on without a restart.
   *  @returns whether it is connected with it; null where none runs. */
  async handOver(secret: SecretOf): Promise<Verdict | null> {
    if (this.#kept === null) return null;
    return await this.#verdict(secret, async () => await this.#hand(secret));
  }

  /** @param give lets it go on with a version. @returns whether it is connected with that. */
  async #verdict(secret: SecretOf, give: () => Promise<void>): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const sentence = `${this.channel} was not connected with it within ${HAND_OVER_MS / 1000} s`;
    const late = setTimeout(() => resolve({ works: false, sentence }), HAND_OVER_MS);
    const waiting = { version: secret.version, settle: resolve };
    this.#waiting = waiting;
    try {
      // A process that ends meanwhile is started again with the newest version, and is waited for all the same.
      await give().catch(() => undefined);
      return await promise;
    } finally {
      clearTimeout(late);
      if (this.#waiting === waiting) this.#waiting = null;
    }
  }

  /** The machine slept, or its network is another one. */
  wake(): void {
    void this.#kept?.send({ type: "wake" }).catch(() => undefined);
  }

  /** Ends it, and no other is to come. */
  async shut(): Promise<void> {
    await this.end();
    this.#parts.carrier.shut();
  }

  async end(): Promise<void> {
    const kept = this.#kept;
    this.#kept = null;
    if (this.#renewing !== null) await Promise.race([this.#renewing.over, delay(SEAL_MS, undefined, { ref: false })]);
    this.#parts.carrier.disconnected();
    this.#waiting?.settle({ works: false, sentence: "the channel was stopped before it was connected with it" });
    await kept?.stop();
    this.#parts.carrier.detach();
  }
}
