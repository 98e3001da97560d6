import { setTimeout as delay } from "node:timers/promises";
import { answererAt } from "./agent-places.ts";
import type { AuditLog, CommittedRow, FactOf } from "../../audit/log.ts";
import { AdapterChannel, type LocalChannel, platformOf, talks } from "../ipc/channel.ts";
import type { HaltTarget } from "../ipc/halt-calls.ts";
import { SessionId } from "../ipc/ids.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import type { AnswerTo, ApprovalView } from "../ipc/operator.ts";
import type { ChannelConfig, Config } from "../config/schema.ts";
import { type Delivery, type OutgoingFile, withLink } from "../session/link.ts";
import { AdapterCarrier } from "./adapter-carrier.ts";
import { checkChannel } from "./channel-check.ts";
import { ChannelHealth } from "./channel-health.ts";
import { recordNotice } from "./channel-notice.ts";
import { testChannel } from "./channel-test.ts";
import { ChannelProcess, type Withheld } from "./channel-process.ts";
import { ChannelTalk, type TalkParts } from "./channel-talk.ts";
import type { ConfigFile } from "./config-file.ts";
import type { CredentialRenewal } from "./credential-renewal.ts";
import type { Checked, Verdict } from "./credentials.ts";
import { traceMessages } from "./message-trace.ts";
import { interruptedText, knownOf } from "./known-of-turn.ts";
import type { KeptRecords } from "./kept-records.ts";
import { LocalCarrier } from "./local-carrier.ts";
import type { Emit } from "./operator.ts";
import { OperatorError } from "./operator-error.ts";
import { channelReach, type Reach } from "./reach-list.ts";
import type { By } from "./people.ts";
import type { Processes, SecretOf } from "./processes.ts";
import type { Run } from "./schedules.ts";
import type { ConversationRecord, Person, State } from "./state.ts";
import type { Repeated } from "./run-parts.ts";
import type { TurnEnding } from "./turn-ending.ts";
import type { SessionRuns } from "./session-runs.ts";

/** Why an edit fails for good: the message is gone, or cannot be changed. */
const FINAL: ReadonlySet<string> = new Set(["refused", "too-large", "unknown"]);
/** At a stop, turns have this long to end and to say so. */
const DRAIN_MS = 5_000;

export type ChannelView = AnswerTo<"channel.enable">;

/** `ChannelTalk` without its link's type: what the rest of the supervisor may ask of any channel. */
interface Talk {
  receive: ChannelTalk<symbol>["receive"];
  press: ChannelTalk<symbol>["press"];
  change: ChannelTalk<symbol>["change"];
  knows: ChannelTalk<symbol>["knows"];
  heardAt: ChannelTalk<symbol>["heardAt"];
  lookUp: ChannelTalk<symbol>["lookUp"];
  say: ChannelTalk<symbol>["say"];
  resume: ChannelTalk<symbol>["resume"];
  repeat: ChannelTalk<symbol>["repeat"];
  conversation: ChannelTalk<symbol>["conversation"];
  scheduled: ChannelTalk<symbol>["scheduled"];
  tell: ChannelTalk<symbol>["tell"];
  card: ChannelTalk<symbol>["card"];
  openDirect: ChannelTalk<symbol>["openDirect"];
  pass: ChannelTalk<symbol>["pass"];
  editCard: ChannelTalk<symbol>["editCard"];
  readonly runs: Pick<
    SessionRuns<symbol>,
    "stop" | "end" | "close" | "reopen" | "cutOf" | "runningFor" | "runningOf" | "stopWhere" | "running"
  >;
}

interface Adapter {
  readonly talk: Talk;
  readonly health: ChannelHealth;
  readonly process: ChannelProcess;
}

export interface ChannelsParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly processes: Processes;
  readonly kept: KeptRecords;
  readonly config: ConfigFile;
  /** @param agent who answers in a conversation. */
  readonly talk: (channel: string, agent: TalkParts["agent"]) => TalkParts;
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
      const { process } = this.#adapter(channel);
      const apiRoot = settings.apiRoot ?? null;
      if (process.runs && settings.enabled && process.apiRoot !== apiRoot) await process.end();
      if (process.runs && !settings.enabled) await process.shut();
      if (settings.enabled && !process.runs) process.begin(apiRoot, cause);
      if (!settings.enabled) process.mark("disabled");
    }
    for (const [channel, { process }] of this.#adapters) {
      if (configOf(config, channel) === null) {
        await process.shut();
        process.mark("disabled");
      }
    }
  }

  #adapter(channel: AdapterChannel): Adapter {
    const known = this.#adapters.get(channel);
    if (known !== undefined) return known;
    const health = new ChannelHealth(() => Date.now());
    const carrier = new AdapterCarrier(
      () => Date.now(),
      (delivery) => (delivery.state === "delivered" ? health.sent() : health.failed(delivery.error)),
    );
    const agent = (conversation: string | null): string => answererAt(this.#parts.config.config, channel, conversation);
    const talk = withLink<Talk>(channel, carrier, (link) => new ChannelTalk(link, this.#parts.talk(channel, agent)));
    const { state, processes, kept, worked, failed, renewals } = this.#parts;
    const owner = (): string => this.#parts.talk(channel, agent).people.owner().principal;
    const made: Adapter = {
      talk,
      process: new ChannelProcess(channel, {
        state,
        processes,
        kept,
        talk,
        carrier,
        secrets: () => this.#parts.secrets(channel),
        reach: () => this.reachOf(channel),
        worked,
        failed,
        renewals,
        health,
        noticed: async (notice, sentence) => {
          health.noticed(notice.about, sentence);
          await recordNotice(channel, notice, sentence, { log: this.#parts.log, state, owner, talk });
        },
      }),
      health,
    };
    this.#adapters.set(channel, made);
    return made;
  }

  /** Hands a new version of a channel's credentials to its process, which goes on without a restart.
   *  @returns whether it is connected with it; null where no process of this channel runs. */
  async handOver(channel: AdapterChannel, secret: SecretOf): Promise<Verdict | null> {
    return (await this.#adapters.get(channel)?.process.handOver(secret)) ?? null;
  }

  /** Asks a platform whether candidates are good, in a process of that platform that gets nothing else. */
  async check(
    channel: AdapterChannel,
    candidate: readonly NamedBytes[] | SecretOf,
    cause: number | null,
  ): Promise<Checked> {
    const apiRoot = this.#apiRoot(channel);
    const reach = (): Reach => this.#reach(channel, apiRoot, candidate);
    const { processes, renewals } = this.#parts;
    return await checkChannel({ processes, channel, candidate, apiRoot, reach, renewals, cause });
  }

  #apiRoot(channel: AdapterChannel): string | null {
    return configOf(this.#parts.config.config, channel)?.apiRoot ?? null;
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
    return this.#reach(channel, this.#apiRoot(channel), currentOf(this.#parts.secrets(channel)));
  }

  /** Whether a process of this channel runs, or is to. */
  runs(channel: AdapterChannel): boolean {
    return this.#adapters.get(channel)?.process.runs ?? false;
  }

  list(): ChannelView[] {
    for (const name of Object.keys(this.#parts.config.config.channels)) this.#adapter(AdapterChannel.parse(name));
    return [...this.#adapters.values()].map(({ process }) => this.#view(process));
  }

  /** How each channel has been since this start. */
  status(): AnswerTo<"channel.status">["channels"] {
    this.list();
    return [...this.#adapters.values()].map(({ process, health }) => ({
      channel: this.#view(process),
      health: health.view,
    }));
  }

  /** The machine slept, or its network is another one: every connection is tried anew, at once. */
  wake(): void {
    for (const { process } of this.#adapters.values()) process.wake();
  }

  /** Writes to the owner on this channel, and waits for them to write back. */
  async test(channel: AdapterChannel, signal: AbortSignal): Promise<AnswerTo<"channel.test">> {
    const { state } = this.#parts;
    const adapter = this.#adapters.get(channel);
    if (adapter?.process.state !== "connected")
      throw new OperatorError("not-ready", `${channel} is not connected`, "wirken channel status says how it is");
    const owner = this.#parts.talk(channel, () => "default").people.owner().principal;
    const written = state.directOf(owner).find((one) => one.channel === channel);
    // Whoever was only made known there, by a code, has not said anything yet.
    const place = written ?? (await this.#reached(channel, owner));
    if (place === null)
      throw new OperatorError(
        "not-found",
        `you have not written to ${adapter.process.account ?? "it"} on ${channel} yet`,
        "send it a message first: it then knows where you are",
      );
    return await testChannel(adapter.talk, place, owner, signal);
  }

  /** Where somebody is reached alone on a channel that they are known on. */
  async #reached(channel: AdapterChannel, principal: string): Promise<ConversationRecord | null> {
    const identity = this.#parts.state.identities(principal).find((one) => one.channel === channel);
    return identity === undefined ? null : await this.openDirect(channel, identity.id, principal);
  }

  #view({ channel, state, account, note }: ChannelProcess): ChannelView {
    const enabled = configOf(this.#parts.config.config, channel)?.enabled ?? false;
    return { channel, enabled, state, account, note };
  }

  async enable(channel: AdapterChannel, who: By): Promise<ChannelView> {
    if (!talks(platformOf(channel)))
      throw new OperatorError(
        "not-ready",
        `this version does not talk on ${platformOf(channel)}`,
        "its credentials are kept and checked: wirken vault list",
      );
    const { process } = this.#adapter(channel);
    await this.#parts.log.append({ kind: "channel.enabled", channel, ...who }, { cause: null });
    if (process.state === "failed" || process.state === "refused") await process.end();
    await this.#parts.config.set(["channels", channel, "enabled"], true);
    await this.align(null);
    return this.#view(process);
  }

  async disable(channel: AdapterChannel, who: By): Promise<ChannelView> {
    const adapter = this.#adapters.get(channel);
    if (adapter === undefined)
      throw new OperatorError(
        "not-found",
        `there is no channel ${channel}`,
        "wirken channel list shows those there are",
      );
    const { process } = adapter;
    await process.shut();
    process.mark("disabled");
    await this.#parts.config.set(["channels", channel, "enabled"], false);
    await this.#parts.log.append({ kind: "channel.disabled", channel, ...who }, { cause: null });
    return this.#view(process);
  }

  /** Its credentials go: what holds them ends first. */
  async release(channel: AdapterChannel): Promise<void> {
    const { process } = this.#adapter(channel);
    await process.shut();
    if (configOf(this.#parts.config.config, channel)?.enabled === true)
      process.mark("no-credentials", `run wirken vault add ${channel}`);
  }

  /** The vault is about to be locked: what holds a credential ends, and begins again with the next {@link align}. */
  async lock(): Promise<void> {
    for (const { process } of this.#adapters.values()) {
      if (!process.runs) continue;
      await process.end();
      process.mark("locked", "run wirken vault unlock");
    }
  }

  /** Credentials changed: the adapter starts anew with them. */
  async credentialsChanged(channel: AdapterChannel): Promise<void> {
    await this.#adapter(channel).process.end();
    await this.align(null);
  }

  async say(
    channel: LocalChannel,
    asked: string | null,
    text: Uint8Array,
    fresh: boolean,
    emit: Emit | null,
    signal: AbortSignal,
  ): Promise<{ session: SessionId; end: TurnEnding }> {
    const agent = asked ?? answererAt(this.#parts.config.config, channel, null);
    if (agent !== "default" && !Object.hasOwn(this.#parts.config.config.agents, agent)) {
      throw new OperatorError("not-found", `there is no agent ${agent}`, "see: wirken agents list");
    }
    const { talk, carrier } = this.#local[channel];
    const quiet = emit === null ? () => undefined : carrier.listen(emit, agent);
    const owner = this.#parts.talk(channel, () => agent).people.owner();
    const stop = (): void => {
      const session = this.localSession(channel, agent);
      if (session !== null) void talk.runs.stop(session, { by: owner.principal, via: channel });
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
  localSession(channel: LocalChannel, agent = answererAt(this.#parts.config.config, channel, null)): SessionId | null {
    const conversation = this.#parts.state.conversationAt(channel, agent, null);
    const open = conversation === null ? null : this.#parts.state.openSession(conversation.conversation, agent);
    return open === null ? null : SessionId.parse(open.session);
  }

  /** The owner's conversation with an agent on a local channel, begun where there is none. */
  async localConversation(channel: LocalChannel, agent: string, owner: string): Promise<string> {
    return await this.#local[channel].talk.conversation(agent, owner);
  }

  /** Begins a run by schedule where it is to be answered. @returns when its turn has ended; null: nothing can be begun there. */
  async scheduled(run: Run): Promise<{ readonly ended: Promise<unknown> } | null> {
    return (await this.#talkOf(run.place.channel)?.scheduled(run)) ?? null;
  }

  async stopSession(session: SessionId | null, who: By): Promise<boolean> {
    const record = session === null ? null : this.#parts.state.session(session);
    if (record === null || session === null) return false;
    return (await this.#talkOf(record.channel)?.runs.stop(session, who)) ?? false;
  }

  /** Ends the turns that run in what is halted. @returns how many they were. */
  async stopWhere(target: HaltTarget, who: By): Promise<number> {
    const ended = await Promise.all(this.#talks.map(async (talk) => await talk.runs.stopWhere(target, who)));
    return ended.reduce((sum, one) => sum + one, 0);
  }

  /** Ends a session for good, whatever runs or waits in it. */
  async endSession(session: string, who: By): Promise<void> {
    const record = this.#parts.state.session(session);
    if (record !== null) await this.#talkOf(record.channel)?.runs.end(session, who);
  }

  /** Turns that run for an agent, on every channel. */
  runningOf(agent: string): number {
    return this.#talks.reduce((sum, talk) => sum + talk.runs.runningOf(agent), 0);
  }

  /** Ends what runs for one person at once: on every channel, or on one. @returns the rows that say so, for whoever records them. */
  cutOf(principal: string, who: By, channel: string | null = null): FactOf[] {
    const where = channel === null ? this.#talks : [this.#talkOf(channel)].filter((talk) => talk !== null);
    return where.flatMap((talk) => talk.runs.cutOf(principal, who));
  }

  runningFor(principal: string): number {
    return this.#talks.reduce((sum, talk) => sum + talk.runs.runningFor(principal), 0);
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

  /** Sends an agent's message into another conversation than that of its turn. */
  async pass(
    conversation: string,
    session: SessionId,
    text: string,
    cause: number,
    files: readonly OutgoingFile[],
  ): Promise<Delivery> {
    const record = this.#parts.state.conversation(conversation);
    const talk = record === null ? null : this.#talkOf(record.channel);
    if (record === null || talk === null)
      return { state: "failed", reason: "unreachable", ids: [], error: "that conversation cannot be reached any more" };
    return await talk.pass(record, session, text, cause, files);
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
  async openDirect(channel: string, user: string, principal: string): Promise<ConversationRecord | null> {
    return (await this.#talkOf(channel)?.openDirect(user, principal)) ?? null;
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
  /** Begins a turn that asks again for what nobody answered in time. */
  repeat(record: ConversationRecord, session: SessionId, repeated: Repeated): void {
    this.#talkOf(record.channel)?.repeat(record, session, repeated);
  }
  async tell(
    record: ConversationRecord,
    session: SessionId | null,
    sentence: string,
    cause: number | null,
  ): Promise<void> {
    await this.#talkOf(record.channel)?.tell(record, session, sentence, cause);
  }

  /** Asks the platforms what became of messages that the daemon died with. @param left intents without an outcome. @param told conversations that know. */
  async trace(left: readonly CommittedRow[], told: ReadonlySet<string>): Promise<void> {
    const { log, state } = this.#parts;
    await traceMessages(left, told, {
      log,
      state,
      lookUp: async (record, key, since) =>
        (await this.#talkOf(record.channel)?.lookUp(record, key, since)) ?? { outcome: "unknown", ids: [] },
      tell: async (record, session, text, cause) =>
        (await this.#talkOf(record.channel)?.tell(record, session, text, cause)) ?? null,
      now: () => Date.now(),
    });
  }

  /** Takes up what was received and not answered before a crash, and says of what was cut short that it was.
   *  @param starting the row of this start: what came after it is under way, on the terminal and the page, and is nobody's to take up.
   *  @returns the conversations that were told so. */
  async recover(starting: number): Promise<ReadonlySet<string>> {
    const { log, state } = this.#parts;
    const told = new Set<string>();
    for (const turn of state.openTurns()) {
      if (turn.seq > starting) continue;
      const session = SessionId.parse(turn.session);
      const ended = log.append(
        { kind: "turn.ended", turn: turn.turn, session, reason: "interrupted", rounds: 0 },
        { cause: turn.seq, seal: session },
      );
      const record = state.session(turn.session);
      const place = record === null ? null : state.conversation(record.conversation);
      if (place !== null) {
        told.add(place.conversation);
        const words = interruptedText(knownOf(log, turn.seq, place.talk === "direct"));
        // In the same step, and so in one transaction: a crash between the two would leave nobody told.
        void this.tell(place, session, words, turn.seq).catch(() => undefined);
      }
      await ended;
    }
    for (const { message, session, principal, seq, origin } of state.waiting()) {
      if (origin > starting) continue;
      const record = state.session(session);
      const place = record === null ? null : state.conversation(record.conversation);
      const text = log.row(seq)?.bytes("text") ?? null;
      if (record === null || place === null || text === null) continue;
      this.#talkOf(record.channel)?.resume(place, SessionId.parse(session), { message, seq, origin, principal, text });
    }
    return told;
  }

  get running(): number {
    return this.#talks.reduce((sum, talk) => sum + talk.runs.running, 0);
  }

  /** A finding: turns end, adapters too, and none begins until {@link reopen}. */
  async halt(who: By): Promise<void> {
    await this.close(who);
    for (const { process } of this.#adapters.values())
      process.mark("disabled", "stopped, because something is wrong with the record: wirken status says what");
  }

  /** The finding is acknowledged: what is enabled may run again. */
  reopen(): void {
    for (const talk of this.#talks) talk.runs.reopen();
  }

  async close(who: By): Promise<void> {
    const drained = new AbortController();
    await Promise.race([
      Promise.all(this.#talks.map(async (talk) => await talk.runs.close(who))),
      delay(DRAIN_MS, undefined, { signal: drained.signal }).catch(() => undefined),
    ]);
    drained.abort();
    await Promise.all([...this.#adapters.values()].map(({ process }) => process.shut()));
  }
}

function currentOf(secrets: readonly SecretOf[] | Withheld): SecretOf | null {
  return "state" in secrets ? null : (secrets[0] ?? null);
}

function configOf(config: Config, channel: AdapterChannel): ChannelConfig | null {
  return Object.entries(config.channels).find(([name]) => name === channel)?.[1] ?? null;
}
