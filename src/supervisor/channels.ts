import { setTimeout as delay } from "node:timers/promises";
import type { AuditLog } from "../../audit/log.ts";
import { FromAdapter, type ToAdapter } from "../ipc/adapter-frames.ts";
import { AdapterChannel, type LocalChannel, platformOf, talks } from "../ipc/channel.ts";
import type { HaltTarget } from "../ipc/halt-calls.ts";
import { SessionId } from "../ipc/ids.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import type { AnswerTo, ApprovalView } from "../ipc/operator.ts";
import type { ChannelConfig, Config } from "../config/schema.ts";
import { withLink } from "../session/link.ts";
import { AdapterCarrier } from "./adapter-carrier.ts";
import { ChannelTalk, type TalkParts } from "./channel-talk.ts";
import type { ConfigFile } from "./config-file.ts";
import type { CredentialRenewal } from "./credential-renewal.ts";
import type { Checked, Verdict } from "./credentials.ts";
import { Intake, type Source } from "./intake.ts";
import { LocalCarrier } from "./local-carrier.ts";
import type { Emit } from "./operator.ts";
import { OperatorError } from "./operator-error.ts";
import { channelReach, type Reach } from "./reach-list.ts";
import type { By } from "./people.ts";
import type { Kept, Processes, SecretOf, StartedChild } from "./processes.ts";
import { RenewalExchange } from "./renewal-exchange.ts";
import type { ConversationRecord, Person, State } from "./state.ts";
import type { TurnEnding } from "./session-run.ts";

const CHECK_MS = 30_000;
/** Why an edit fails for good: the message is gone, or cannot be changed. */
const FINAL: ReadonlySet<string> = new Set(["refused", "too-large", "unknown"]);
/** The text of one message; no platform lets a person write nearly as much. */
const MAX_INBOUND_BYTES = 1_048_576;
/** A process that was given new credentials has this long to be connected with them. */
const HAND_OVER_MS = 60_000;
/** What a platform gave and the vault does not hold yet has this long to get there before its process ends. */
const SEAL_MS = 5_000;
/** At a stop, turns have this long to end and to say so. */
const DRAIN_MS = 5_000;

export type ChannelView = AnswerTo<"channel.enable">;

/** `ChannelTalk` without its link's type: what the rest of the supervisor may ask of any channel. */
interface Talk {
  receive: ChannelTalk<symbol>["receive"];
  press: ChannelTalk<symbol>["press"];
  say: ChannelTalk<symbol>["say"];
  resume: ChannelTalk<symbol>["resume"];
  tell: ChannelTalk<symbol>["tell"];
  card: ChannelTalk<symbol>["card"];
  editCard: ChannelTalk<symbol>["editCard"];
  stop: ChannelTalk<symbol>["stop"];
  end: ChannelTalk<symbol>["end"];
  close: ChannelTalk<symbol>["close"];
  reopen: ChannelTalk<symbol>["reopen"];
  stopOf: ChannelTalk<symbol>["stopOf"];
  stopWhere: ChannelTalk<symbol>["stopWhere"];
  readonly running: number;
}

type Line = StartedChild<ToAdapter>;

interface Adapter {
  readonly talk: Talk;
  readonly carrier: AdapterCarrier;
  kept: Kept<ToAdapter> | null;
  state: ChannelView["state"];
  account: string | null;
  note: string | null;
  apiRoot: string | null;
  /** The credential that its process connects with. */
  inUse: SecretOf | null;
  /** One that was handed over, and is in use from its `switched` on. */
  handed: { readonly ref: number; readonly secret: SecretOf } | null;
  /** Who waits for what becomes of a version. */
  waiting: { readonly version: number; readonly settle: (verdict: Verdict) => void } | null;
  /** Its process asks its platform for another token, or has one that the vault does not hold yet. */
  renewing: { readonly exchange: RenewalExchange; readonly over: Promise<void> } | null;
  ref: number;
}

/** Why a channel gets no credentials, and what mends that. */
export interface Withheld {
  readonly state: "no-credentials" | "locked" | "refused";
  readonly note: string;
}

export interface ChannelsParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly processes: Processes;
  readonly config: ConfigFile;
  readonly talk: (channel: string, agent: () => string) => TalkParts;
  /** Where a channel's credentials are, or why they cannot be had. */
  readonly secrets: (channel: AdapterChannel) => readonly SecretOf[] | Withheld;
  /** What is no secret among a channel's credentials, such as an address; null if it cannot be had. */
  readonly plain: (secret: SecretOf, name: string) => string | null;
  /** It is connected with this version, for which nobody waited. */
  readonly worked: (secret: SecretOf, account: string | null) => Promise<void>;
  /** The platform refused this version. @returns what is in force instead, where there is something to go back to. */
  readonly failed: (secret: SecretOf) => Promise<SecretOf | null>;
  readonly renewals: () => CredentialRenewal;
}

/** The channels: one adapter process for each that is enabled and has credentials, and the two that are this machine's own. */
export class Channels {
  readonly #parts: ChannelsParts;
  readonly #adapters = new Map<AdapterChannel, Adapter>();
  readonly #local: Readonly<Record<LocalChannel, { talk: Talk; carrier: LocalCarrier }>>;

  constructor(parts: ChannelsParts) {
    this.#parts = parts;
    const local = (channel: LocalChannel): { talk: Talk; carrier: LocalCarrier } => {
      const carrier = new LocalCarrier();
      const talk = withLink<Talk>(
        channel,
        carrier,
        (link) =>
          new ChannelTalk(
            link,
            parts.talk(channel, () => "default"),
          ),
      );
      return { talk, carrier };
    };
    this.#local = { terminal: local("terminal"), web: local("web") };
  }

  local(channel: LocalChannel): LocalCarrier {
    return this.#local[channel].carrier;
  }

  get #talks(): Talk[] {
    return [...this.#adapters.values(), ...Object.values(this.#local)].map(({ talk }) => talk);
  }

  #talkOf(channel: string): Talk | null {
    if (channel === "terminal" || channel === "web") return this.#local[channel].talk;
    const known = AdapterChannel.safeParse(channel);
    return known.success ? (this.#adapters.get(known.data)?.talk ?? null) : null;
  }

  /** Starts what is enabled and has credentials; ends what is not. Called at the start and whenever the configuration or the vault changes. */
  async align(cause: number | null): Promise<void> {
    const { config } = this.#parts.config;
    for (const [name, settings] of Object.entries(config.channels)) {
      const channel = AdapterChannel.parse(name);
      const adapter = this.#adapter(channel);
      const apiRoot = settings.apiRoot ?? null;
      if (adapter.kept !== null && settings.enabled && adapter.apiRoot !== apiRoot) await this.#end(adapter);
      if (adapter.kept !== null && !settings.enabled) await this.#shut(adapter);
      if (settings.enabled && adapter.kept === null) this.#begin(channel, adapter, apiRoot, cause);
      if (!settings.enabled) adapter.state = "disabled";
    }
    for (const [channel, adapter] of this.#adapters) {
      if (configOf(config, channel) === null) {
        await this.#shut(adapter);
        adapter.state = "disabled";
      }
    }
  }

  #adapter(channel: AdapterChannel): Adapter {
    const known = this.#adapters.get(channel);
    if (known !== undefined) return known;
    const carrier = new AdapterCarrier();
    const agent = (): string => configOf(this.#parts.config.config, channel)?.agent ?? "default";
    const talk = withLink<Talk>(channel, carrier, (link) => new ChannelTalk(link, this.#parts.talk(channel, agent)));
    const made: Adapter = {
      talk,
      carrier,
      kept: null,
      state: "disabled",
      account: null,
      note: null,
      apiRoot: null,
      inUse: null,
      handed: null,
      waiting: null,
      renewing: null,
      ref: 0,
    };
    this.#adapters.set(channel, made);
    return made;
  }

  #begin(channel: AdapterChannel, adapter: Adapter, apiRoot: string | null, cause: number | null): void {
    if (!talks(platformOf(channel))) {
      adapter.state = "failed";
      adapter.note = `this version does not talk on ${platformOf(channel)}`;
      return;
    }
    const secrets = this.#parts.secrets(channel);
    if ("state" in secrets) {
      adapter.state = secrets.state;
      adapter.note = secrets.note;
      return;
    }
    adapter.carrier.expect();
    adapter.state = "connecting";
    adapter.note = null;
    adapter.apiRoot = apiRoot;
    const intake = new Intake();
    /** The process that runs now: what one of before asked is not answered to the next, whose numbers begin anew. */
    let current: { readonly line: Line; readonly source: Source } | null = null;
    const kept: Kept<ToAdapter> = this.#parts.processes.keep<FromAdapter, ToAdapter>({
      role: "adapter",
      args: [platformOf(channel)],
      subject: channel,
      accepts: FromAdapter,
      stop: { type: "stop" },
      secret: (name) => ({ type: "secret", name }),
      cause,
      reach: () => this.reachOf(channel),
      secrets: () => {
        const now = this.#parts.secrets(channel);
        return "state" in now ? secrets : now;
      },
      started: async (child, given) => {
        adapter.inUse = given[0] ?? null;
        adapter.handed = null;
        current = { line: child, source: intake.from(child) };
        adapter.carrier.attach((header, payload) => child.send(header, payload));
        await child.send({ type: "start", check: false, cursor: this.#parts.state.cursor(channel), apiRoot });
      },
      hear: (header, payload) => {
        if (header.type === "delivered" || header.type === "undelivered") {
          if (!adapter.carrier.settle(header, payload)) kept.broke("an answer to nothing");
          return;
        }
        const from = current;
        if (from === null) return;
        if (header.type === "inbound" && payload.length > MAX_INBOUND_BYTES) {
          kept.broke(`a message of more than ${MAX_INBOUND_BYTES} bytes`);
          return;
        }
        from.source.add(
          payload.length,
          () => this.#heard(channel, adapter, from.line, header, payload),
          () => {
            if (from === current) kept.broke("a message that could not be recorded");
          },
        );
      },
      down: () => {
        current = null;
        adapter.renewing?.exchange.lost();
        adapter.carrier.detach();
        if (adapter.state === "connected") adapter.state = "reconnecting";
      },
      givenUp: (why) => {
        adapter.state = "failed";
        adapter.note = `${why}; fix it and run wirken channel enable ${channel}`;
      },
    });
    adapter.kept = kept;
  }

  async #heard(
    channel: AdapterChannel,
    adapter: Adapter,
    from: Line,
    header: FromAdapter,
    payload: Uint8Array,
  ): Promise<void> {
    switch (header.type) {
      case "inbound": {
        const again = await adapter.talk.receive(header, payload);
        await from.send({ type: "acknowledged", ref: header.ref, again });
        return;
      }
      case "pressed": {
        const sentence = await adapter.talk.press(header);
        await from.send({ type: "answer", ref: header.ref }, Buffer.from(sentence));
        await from.send({ type: "acknowledged", ref: header.ref, again: false });
        return;
      }
      case "cursor":
        this.#parts.state.saveCursor(channel, header.cursor);
        return;
      case "state":
        adapter.account = header.account ?? adapter.account;
        adapter.state = header.state;
        if (header.state === "connected") {
          adapter.note = null;
          adapter.carrier.connected();
        } else adapter.carrier.disconnected();
        if (header.state === "refused") adapter.note = Buffer.from(payload).toString("utf8").slice(0, 500);
        await this.#judged(adapter, header.state, adapter.note ?? `${channel} refused it`);
        return;
      case "switched":
        if (adapter.handed?.ref !== header.ref) return;
        adapter.inUse = adapter.handed.secret;
        adapter.handed = null;
        return;
      case "renewal":
        if (adapter.renewing !== null) adapter.kept?.broke("a renewal within a renewal");
        // Not waited for: what it hears comes on the same pipe.
        else void this.#renew(channel, adapter, from, header.ref);
        return;
      case "renewed":
      case "unrenewed":
        if (adapter.renewing?.exchange.take(header, payload) !== true)
          adapter.kept?.broke("what was renewed, in no form that is known here");
        return;
      case "ready":
      case "checked":
      case "delivered":
      case "undelivered":
        return;
    }
  }

  async #renew(channel: AdapterChannel, adapter: Adapter, from: Line, ref: number): Promise<void> {
    const exchange = new RenewalExchange(channel, ref, async (frame) => await from.send(frame));
    if (adapter.inUse === null) return await exchange.deny(HAND_OVER_MS);
    const { promise: over, resolve: done } = Promise.withResolvers<void>();
    adapter.renewing = { exchange, over };
    const sealed = (): void => {
      adapter.renewing = null;
      done();
    };
    const renewing = exchange.renewing(adapter.inUse, async (secret, tell) => {
      sealed();
      return await this.#verdict(channel, adapter, secret, async () => {
        adapter.handed = { ref, secret };
        await tell();
      });
    });
    await this.#parts
      .renewals()
      .run(renewing)
      .finally(() => {
        if (adapter.renewing?.exchange === exchange) sealed();
      });
  }

  /** Its process said what the platform makes of the credential that it has. */
  async #judged(adapter: Adapter, state: ChannelView["state"], sentence: string): Promise<void> {
    const { inUse, waiting } = adapter;
    if (inUse === null || (state !== "connected" && state !== "refused")) return;
    if (waiting !== null && waiting.version === inUse.version) {
      waiting.settle(state === "connected" ? { works: true, account: adapter.account } : { works: false, sentence });
      return;
    }
    if (state === "connected") await this.#parts.worked(inUse, adapter.account);
    else {
      const before = await this.#parts.failed(inUse);
      // Not waited for: it is answered on the pipe that this is heard on.
      if (before !== null) void this.#hand(adapter, before).catch(() => undefined);
    }
  }

  /** Its process gets a new version and connects anew with it; what is to be sent meanwhile is held. @throws {Error} when none runs. */
  async #hand(adapter: Adapter, secret: SecretOf): Promise<void> {
    const { kept } = adapter;
    if (kept === null) throw new Error("the channel was stopped");
    await kept.whenReady(HAND_OVER_MS);
    adapter.carrier.disconnected();
    adapter.state = "reconnecting";
    adapter.note = null;
    adapter.ref += 1;
    const { ref } = adapter;
    await kept.hand(secret);
    adapter.handed = { ref, secret };
    await kept.send({ type: "reconnect", ref });
  }

  /** Hands a new version of a channel's credentials to its process, which goes on without a restart.
   *  @returns whether it is connected with it; null where no process of this channel runs. */
  async handOver(channel: AdapterChannel, secret: SecretOf): Promise<Verdict | null> {
    const adapter = this.#adapters.get(channel);
    if (adapter === undefined || adapter.kept === null) return null;
    return await this.#verdict(channel, adapter, secret, async () => await this.#hand(adapter, secret));
  }

  /** @param give lets its process go on with a version. @returns whether it is connected with that. */
  async #verdict(
    channel: AdapterChannel,
    adapter: Adapter,
    secret: SecretOf,
    give: () => Promise<void>,
  ): Promise<Verdict> {
    const { promise, resolve } = Promise.withResolvers<Verdict>();
    const late = setTimeout(
      () => resolve({ works: false, sentence: `${channel} was not connected with it within ${HAND_OVER_MS / 1000} s` }),
      HAND_OVER_MS,
    );
    const waiting = { version: secret.version, settle: resolve };
    adapter.waiting = waiting;
    try {
      // A process that ends meanwhile is started again with the newest version, and is waited for all the same.
      await give().catch(() => undefined);
      return await promise;
    } finally {
      clearTimeout(late);
      if (adapter.waiting === waiting) adapter.waiting = null;
    }
  }

  /** Ends it, and no other is to come. */
  async #shut(adapter: Adapter): Promise<void> {
    await this.#end(adapter);
    adapter.carrier.shut();
  }

  async #end(adapter: Adapter): Promise<void> {
    const { kept, renewing } = adapter;
    adapter.kept = null;
    if (renewing !== null) await Promise.race([renewing.over, delay(SEAL_MS, undefined, { ref: false })]);
    adapter.carrier.disconnected();
    adapter.waiting?.settle({ works: false, sentence: "the channel was stopped before it was connected with it" });
    await kept?.stop();
    adapter.carrier.detach();
  }

  /** Asks a platform whether candidates are good, in a process of that platform that gets nothing else. */
  async check(
    channel: AdapterChannel,
    candidate: readonly NamedBytes[] | SecretOf,
    cause: number | null,
  ): Promise<Checked> {
    const apiRoot = configOf(this.#parts.config.config, channel)?.apiRoot ?? null;
    let renewal: Promise<void> = Promise.resolve();
    let exchange: RenewalExchange | null = null;
    const checked = await this.#parts.processes.check<FromAdapter, ToAdapter>({
      role: "adapter",
      args: [platformOf(channel)],
      subject: channel,
      accepts: FromAdapter,
      stop: { type: "stop" },
      secret: (name) => ({ type: "secret", name }),
      candidate,
      reach: () => this.#reach(channel, apiRoot, candidate),
      start: { type: "start", check: true, cursor: null, apiRoot },
      timeoutMs: CHECK_MS,
      cause,
      hear: (header, payload, process) => {
        if (header.type === "renewed" || header.type === "unrenewed") exchange?.take(header, payload);
        if (header.type !== "renewal" || exchange !== null) return;
        exchange = new RenewalExchange(channel, header.ref, async (frame) => await process.send(frame));
        // What is not saved is not renewed: it would be spent, and nothing kept.
        if (!("scope" in candidate)) {
          void exchange.deny(CHECK_MS);
          return;
        }
        const renewing = exchange.renewing(candidate, async (_, tell) => {
          await tell();
          return null;
        });
        renewal = this.#parts.renewals().run(renewing, true);
      },
      ended: () => exchange?.lost(),
    });
    await renewal;
    return checked;
  }

  #reach(channel: AdapterChannel, apiRoot: string | null, credential: readonly NamedBytes[] | SecretOf | null): Reach {
    return channelReach(channel, apiRoot, (name) => {
      if (credential === null) return null;
      if ("scope" in credential) return this.#parts.plain(credential, name);
      const found = credential.find((one) => one.name === name);
      return found === undefined ? null : Buffer.from(found.bytes).toString("utf8");
    });
  }

  /** What a channel's process may reach, whether or not one runs. */
  reachOf(channel: AdapterChannel): Reach {
    const apiRoot = configOf(this.#parts.config.config, channel)?.apiRoot ?? null;
    return this.#reach(channel, apiRoot, currentOf(this.#parts.secrets(channel)));
  }

  /** Whether a process of this channel runs, or is to. */
  runs(channel: AdapterChannel): boolean {
    return (this.#adapters.get(channel)?.kept ?? null) !== null;
  }

  list(): ChannelView[] {
    for (const name of Object.keys(this.#parts.config.config.channels)) this.#adapter(AdapterChannel.parse(name));
    return [...this.#adapters].map(([channel, adapter]) => this.#view(channel, adapter));
  }

  #view(channel: AdapterChannel, adapter: Adapter): ChannelView {
    const enabled = configOf(this.#parts.config.config, channel)?.enabled ?? false;
    return { channel, enabled, state: adapter.state, account: adapter.account, note: adapter.note };
  }

  async enable(channel: AdapterChannel, who: By): Promise<ChannelView> {
    if (!talks(platformOf(channel)))
      throw new OperatorError(
        "not-ready",
        `this version does not talk on ${platformOf(channel)}`,
        "its credentials are kept and checked: wirken vault list",
      );
    const adapter = this.#adapter(channel);
    await this.#parts.log.append({ kind: "channel.enabled", channel, ...who }, { cause: null });
    if (adapter.state === "failed" || adapter.state === "refused") await this.#end(adapter);
    await this.#parts.config.set(["channels", channel, "enabled"], true);
    await this.align(null);
    return this.#view(channel, adapter);
  }

  async disable(channel: AdapterChannel, who: By): Promise<ChannelView> {
    const adapter = this.#adapters.get(channel);
    if (adapter === undefined)
      throw new OperatorError(
        "not-found",
        `there is no channel ${channel}`,
        "wirken channel list shows those there are",
      );
    await this.#shut(adapter);
    adapter.state = "disabled";
    await this.#parts.config.set(["channels", channel, "enabled"], false);
    await this.#parts.log.append({ kind: "channel.disabled", channel, ...who }, { cause: null });
    return this.#view(channel, adapter);
  }

  /** Its credentials go: what holds them ends first. */
  async release(channel: AdapterChannel): Promise<void> {
    const adapter = this.#adapter(channel);
    await this.#shut(adapter);
    if (configOf(this.#parts.config.config, channel)?.enabled !== true) return;
    adapter.state = "no-credentials";
    adapter.note = `run wirken vault add ${channel}`;
  }

  /** The vault is about to be locked: what holds a credential ends, and begins again with the next {@link align}. */
  async lock(): Promise<void> {
    for (const adapter of this.#adapters.values()) {
      if (adapter.kept === null) continue;
      await this.#end(adapter);
      adapter.state = "locked";
      adapter.note = "run wirken vault unlock";
    }
  }

  /** Credentials changed: the adapter starts anew with them. */
  async credentialsChanged(channel: AdapterChannel): Promise<void> {
    await this.#end(this.#adapter(channel));
    await this.align(null);
  }

  async say(
    channel: LocalChannel,
    agent: string,
    text: Uint8Array,
    fresh: boolean,
    emit: Emit | null,
    signal: AbortSignal,
  ): Promise<{ session: SessionId; end: TurnEnding }> {
    if (agent !== "default" && !Object.hasOwn(this.#parts.config.config.agents, agent)) {
      throw new OperatorError("not-found", `there is no agent ${agent}`, "name it in config.json under agents");
    }
    const { talk, carrier } = this.#local[channel];
    const quiet = emit === null ? () => undefined : carrier.listen(emit, agent);
    const owner = this.#parts.talk(channel, () => agent).people.owner();
    const stop = (): void => {
      const session = this.localSession(channel, agent);
      if (session !== null) void talk.stop(session, { by: owner.principal, via: channel });
    };
    signal.addEventListener("abort", stop, { once: true });
    try {
      return await talk.say(owner, agent, text, fresh);
    } finally {
      signal.removeEventListener("abort", stop);
      quiet();
    }
  }

  /** Events of a local channel until the caller goes away. */
  async watch(channel: LocalChannel, emit: Emit, signal: AbortSignal): Promise<void> {
    const quiet = this.#local[channel].carrier.listen(emit, null);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    quiet();
  }

  /** The session that the owner talks in with an agent on a local channel, or null. */
  localSession(channel: LocalChannel, agent = "default"): SessionId | null {
    const conversation = this.#parts.state.conversationAt(channel, agent, null);
    const open = conversation === null ? null : this.#parts.state.openSession(conversation.conversation, agent);
    return open === null ? null : SessionId.parse(open.session);
  }

  async stopSession(session: SessionId | null, who: By): Promise<boolean> {
    const record = session === null ? null : this.#parts.state.session(session);
    if (record === null || session === null) return false;
    return (await this.#talkOf(record.channel)?.stop(session, who)) ?? false;
  }

  /** Ends the turns that run in what is halted. @returns how many they were. */
  async stopWhere(target: HaltTarget, who: By): Promise<number> {
    const ended = await Promise.all(this.#talks.map(async (talk) => await talk.stopWhere(target, who)));
    return ended.reduce((sum, one) => sum + one, 0);
  }

  /** Ends a session for good, whatever runs or waits in it. */
  async endSession(session: string, who: By): Promise<void> {
    const record = this.#parts.state.session(session);
    if (record !== null) await this.#talkOf(record.channel)?.end(session, who);
  }

  /** Ends what runs for one person, on every channel. */
  async stopOf(principal: string, who: By): Promise<void> {
    await Promise.all(this.#talks.map(async (talk) => await talk.stopOf(principal, who)));
  }

  /** Says to a newly paired person that they are, where they were given their code.
   *  @param asked the row of their request. */
  async welcome(person: Person, channel: string, asked: number): Promise<void> {
    const { log, state } = this.#parts;
    const told = log.rows({ kind: "message.sent", after: asked, limit: 100 }).find(({ cause }) => cause === asked);
    const place = told?.action.kind === "message.sent" ? state.conversation(told.action.conversation) : null;
    if (place === null) return;
    await this.#talkOf(channel)?.tell(
      place,
      null,
      `You are paired as ${person.name} (${person.role}). Say what you need.`,
      null,
      person.principal,
    );
  }

  /** Shows a card in a conversation of its channel. @returns the platform's ids of the card. */
  async card(
    record: ConversationRecord,
    view: ApprovalView,
    parts: readonly string[],
    cause: number,
  ): Promise<readonly string[]> {
    return (await this.#talkOf(record.channel)?.card(record, view, parts, cause)) ?? [];
  }
  /** @returns false when the channel is not there just now: it is to be tried again. */
  async editCard(
    record: ConversationRecord,
    ids: readonly string[],
    text: string,
    cause: number | null,
    session: SessionId | null,
  ): Promise<boolean> {
    const delivery = await this.#talkOf(record.channel)?.editCard(record, ids, text, cause, session);
    return delivery?.state === "delivered" || (delivery !== undefined && FINAL.has(delivery.reason));
  }
  async tell(
    record: ConversationRecord,
    session: SessionId | null,
    sentence: string,
    cause: number | null,
  ): Promise<void> {
    await this.#talkOf(record.channel)?.tell(record, session, sentence, cause);
  }

  /** Takes up what was received and not answered before a crash, and says of what was cut short that it was. */
  async recover(): Promise<void> {
    const { log, state } = this.#parts;
    for (const turn of state.openTurns()) {
      const session = SessionId.parse(turn.session);
      await log.append(
        { kind: "turn.ended", turn: turn.turn, session, reason: "interrupted", rounds: 0 },
        { cause: turn.seq, seal: session },
      );
      const record = state.session(turn.session);
      const place = record === null ? null : state.conversation(record.conversation);
      if (place !== null) {
        const words =
          "I was interrupted while I worked on your last message: whatever was under way is on the log as “effect unknown”, and nothing is repeated. Say it again if you still need it.";
        void this.tell(place, session, words, turn.seq).catch(() => undefined);
      }
    }
    for (const { message, session, principal, seq } of state.waiting()) {
      const record = state.session(session);
      const place = record === null ? null : state.conversation(record.conversation);
      const text = log.row(seq)?.bytes("text") ?? null;
      if (record === null || place === null || text === null) continue;
      this.#talkOf(record.channel)?.resume(place, SessionId.parse(session), { message, seq, principal, text });
    }
  }

  get running(): number {
    return this.#talks.reduce((sum, talk) => sum + talk.running, 0);
  }

  /** A finding: turns end, adapters too, and none begins until {@link reopen}. */
  async halt(who: By): Promise<void> {
    await this.close(who);
    for (const adapter of this.#adapters.values()) {
      adapter.state = "disabled";
      adapter.note = "stopped, because something is wrong with the record: wirken status says what";
    }
  }

  /** The finding is acknowledged: what is enabled may run again. */
  reopen(): void {
    for (const talk of this.#talks) talk.reopen();
  }

  async close(who: By): Promise<void> {
    const drained = new AbortController();
    await Promise.race([
      Promise.all(this.#talks.map(async (talk) => await talk.close(who))),
      delay(DRAIN_MS, undefined, { signal: drained.signal }).catch(() => undefined),
    ]);
    drained.abort();
    await Promise.all([...this.#adapters.values()].map((adapter) => this.#shut(adapter)));
  }
}

function currentOf(secrets: readonly SecretOf[] | Withheld): SecretOf | null {
  return "state" in secrets ? null : (secrets[0] ?? null);
}

function configOf(config: Config, channel: AdapterChannel): ChannelConfig | null {
  return Object.entries(config.channels).find(([name]) => name === channel)?.[1] ?? null;
}
