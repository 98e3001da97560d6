import type { Refusals } from "../../audit/refused.ts";
import { readAgain, readAnswer } from "../broker/answer-text.ts";
import type { FromAdapter } from "../ipc/adapter-frames.ts";
import { mint, SessionId } from "../ipc/ids.ts";
import type { ApprovalView } from "../ipc/operator.ts";
import type { Address, AdapterLink, Delivery, LookedUp, OutgoingFile } from "../session/link.ts";
import type { Decider, Repeater } from "./approval-desk.ts";
import { belongingsFor, isOnlyVoice } from "./belongings.ts";
import { ChannelOut } from "./channel-out.ts";
import { AWAY, isLate, readStill } from "./late-messages.ts";
import { MessageRate } from "./message-rate.ts";
import type { By, People } from "./people.ts";
import type { Run } from "./schedules.ts";
import { slashCommand } from "./slash-commands.ts";
import type { Repeated, Waiting } from "./run-parts.ts";
import type { SessionRun } from "./session-run.ts";
import type { TurnEnding } from "./turn-ending.ts";
import { SessionRuns, type SessionRunsParts } from "./session-runs.ts";
import type { ConversationRecord, Person } from "./state.ts";
import { Strangers } from "./strangers.ts";
import { type CommandParts, TalkCommands } from "./talk-commands.ts";
import type { HeldMessage } from "./written.ts";

type Inbound = Extract<FromAdapter, { type: "inbound" }>;
type Pressed = Extract<FromAdapter, { type: "pressed" }>;
type Changed = Extract<FromAdapter, { type: "changed" }>;

export interface TalkParts extends SessionRunsParts, CommandParts {
  readonly people: People;
  readonly refusals: Refusals;
  readonly decide: Decider;
  readonly again: Repeater;
  /** What a stranger and a new person are told about the record. */
  readonly notice: () => string;
}

/** What an agent is told beside what is to be done. */
const UNATTENDED = "(This runs by schedule: nobody is there to answer a question or to approve anything.)";

/** What is longer is only ever a message, and is not read here. */
const MAX_COMMAND_BYTES = 4096;
/** Messages that wait in one session for the turn that runs; one more is refused. */
const MAX_WAITING = 50;

const WORKS = "Thank you: this channel works in both directions.";

const NO_VOICE = "I cannot listen to voice messages yet: please write it.";

/** What is said of a change that came too late. */
const BEGUN = {
  edited: "You changed a message that I had begun with: I go by what it said before. Say what I should do instead.",
  deleted:
    "You deleted a message that I had begun with: that changes nothing, and it stays on the record. /stop ends what I am doing.",
} as const;

/** A refusal of a paired person's text code or of a press, in words for them. */
const FOREIGN_PRESS = "This is not yours to decide: only an approver or the owner can.";

/** What is said on one channel instance: from a platform's bytes to recorded messages, and back out by the same link only. */
export class ChannelTalk<L extends symbol> {
  readonly #link: AdapterLink<L>;
  readonly #parts: TalkParts;
  /** What runs and waits here. */
  readonly runs: SessionRuns<L>;
  readonly #commands: TalkCommands<L>;
  readonly #rate: MessageRate;
  readonly #out: ChannelOut<L>;
  readonly #strangers: Strangers<L>;
  /** What a `/stop` did that is not on the log yet: it comes again, and must not end a later turn. */
  readonly #obeyed = new Map<string, boolean>();
  /** Conversations of which somebody waits to hear. */
  readonly #expected = new Map<string, () => void>();

  constructor(link: AdapterLink<L>, parts: TalkParts) {
    this.#link = link;
    this.#parts = parts;
    this.#rate = new MessageRate(parts.now);
    this.#out = new ChannelOut(link, parts);
    this.runs = new SessionRuns(link, this.#out, parts);
    this.#commands = new TalkCommands(this.runs, parts);
    this.#strangers = new Strangers(link.channel, this.#out, parts);
  }

  /** Resolves with the next message that somebody writes in a conversation: that one is answered with thanks, and goes no further. */
  heardAt(conversation: string, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#expected.set(conversation, resolve);
    signal.addEventListener("abort", () => this.#expected.delete(conversation), { once: true });
    return promise;
  }

  get channel(): string {
    return this.#link.channel;
  }

  /** Takes in one message. When this resolves, it is on the log (or its refusal is), and the platform may be told so.
   *  @returns true if it had been seen before. */
  async receive(inbound: Inbound, text: Uint8Array): Promise<boolean> {
    const { state } = this.#parts;
    if (state.wasSeen(this.channel, inbound.dedupe)) return true;
    const person = state.personOf(this.channel, inbound.sender);
    if (person === null) {
      await this.#strangers.meet(inbound, wordsOf(text));
      return false;
    }
    await this.#fromPerson(person, inbound, text);
    return false;
  }

  async #fromPerson(person: Person, inbound: Inbound, text: Uint8Array): Promise<void> {
    const { log } = this.#parts;
    const words = wordsOf(text);
    const command = slashCommand(words);
    const who: By = { by: person.principal, via: this.channel };
    const agent = this.#answererAt(inbound);
    // What takes authority away does not wait for the record of the word: there may be no room for that.
    if (command === "stop") await this.#obey(inbound, agent, who);
    // Stopping always works.
    if (command !== "stop" && (await this.#tooMany(person, inbound))) return;
    const address = await this.#out.address(inbound, person.principal);
    if (command !== "stop" && (await this.#unwelcome(person, agent, address, inbound))) return;
    const run = await this.runs.in(address, agent);
    if (command !== "stop" && run.waiting >= MAX_WAITING) {
      this.#out.sayLater(address, { purpose: "answer", text: TOO_MANY, cause: null, session: run.session.id });
      this.#link.react(address, idOf(inbound), "refused");
      await this.#parts.refusals.refuse({ channel: this.channel, reason: "too-many", source: inbound.sender });
      return;
    }
    const message = mint("message");
    const [typed, again, still] = [readAnswer(words), readAgain(words), this.#still(run, person, words)];
    const plain = typed === null && again === null && command === null && still === null;
    const voice = plain && isOnlyVoice(inbound, words);
    const late = plain && !voice && isLate(inbound.sentAt, this.#parts.now());
    const row = await log.append(
      {
        kind: "message.received",
        message,
        session: run.session.id,
        conversation: address.conversation,
        channel: this.channel,
        principal: person.principal,
        ...(inbound.sentAt === undefined ? {} : { sentAt: timeOf(inbound.sentAt, this.#parts.now()) }),
        ...(inbound.files === undefined ? {} : { files: inbound.files.length + (inbound.filesLeft ?? 0) }),
        ...(late ? { held: "late" } : {}),
      },
      {
        cause: null,
        seal: run.session.id,
        content: {
          text,
          platform: inbound.dedupe,
          ...(inbound.message === undefined ? {} : { message: inbound.message }),
          ...belongingsFor(inbound),
        },
      },
    );
    if (late) {
      if (this.#heldBy(run, person).length === 1)
        this.#out.sayLater(address, { purpose: "answer", text: AWAY, cause: row.seq, session: run.session.id });
      return;
    }
    const expected = plain ? this.#expected.get(address.conversation) : undefined;
    if (expected !== undefined) {
      this.#expected.delete(address.conversation);
      expected();
      await this.runs.answered(message, run, row.seq, WORKS, who);
      return;
    }
    if (voice) {
      await this.runs.answered(message, run, row.seq, NO_VOICE, who);
      return;
    }
    if (still !== null) {
      await this.#resumed(still, { message, run, cause: row.seq, person });
      return;
    }
    if (again !== null) {
      const { sentence } = await this.#parts.again({ which: again, person, via: this.#link.channel });
      await this.runs.answered(message, run, row.seq, sentence, who);
      return;
    }
    if (typed !== null) {
      const verdict = await this.#parts.decide({ ...typed, person, via: this.#link.channel });
      if (verdict.state === "foreign")
        await this.#parts.refusals.refuse({ channel: this.channel, reason: "foreign-press", source: inbound.sender });
      await this.runs.answered(message, run, row.seq, verdict.sentence, who);
      return;
    }
    // It asks a model, and so it is a turn of its own.
    if (command !== null && command !== "compact") {
      const stopped = this.#obeyed.get(inbound.dedupe) ?? false;
      this.#obeyed.delete(inbound.dedupe);
      await this.runs.answered(
        message,
        run,
        row.seq,
        await this.#commands.obey(command, run, agent, person, stopped),
        who,
      );
      return;
    }
    this.runs.begin(run, { message, seq: row.seq, principal: person.principal, text, mark: idOf(inbound) });
  }

  /** Who answers where this was written. */
  #answererAt({ place, thread }: Pick<Inbound, "place" | "thread">): string {
    return this.#parts.agent(this.#parts.state.conversationAt(this.channel, place, thread)?.conversation ?? null);
  }

  /** Refuses what somebody writes to an agent that is not for them, before anything of it is recorded; they are told. */
  async #unwelcome(person: Person, agent: string, address: Address<L>, inbound: Inbound): Promise<boolean> {
    const refused = this.#parts.run(agent, address.at.place).refusal(person);
    if (refused === null) return false;
    this.#out.sayLater(address, { purpose: "answer", text: refused.sentence, cause: null, whose: person.principal });
    this.#link.react(address, idOf(inbound), "refused");
    await this.#parts.refusals.refuse({ channel: this.channel, reason: "other-agent", source: inbound.sender });
    return true;
  }

  #heldBy(run: SessionRun<L>, person: Person): HeldMessage[] {
    return this.#parts.state.heldIn(run.session.id).filter(({ principal }) => principal === person.principal);
  }

  /** What is said of messages that are held, where any are. */
  #still(run: SessionRun<L>, person: Person, words: string): "do" | "drop" | null {
    return this.#heldBy(run, person).length === 0 ? null : readStill(words);
  }

  async #resumed(
    decision: "do" | "drop",
    { message, run, cause, person }: { message: string; run: SessionRun<L>; cause: number; person: Person },
  ): Promise<void> {
    const held = this.#heldBy(run, person);
    await this.#parts.log.append(
      {
        kind: "message.resumed",
        session: run.session.id,
        principal: person.principal,
        decision,
        messages: held.length,
      },
      { cause, seal: run.session.id },
    );
    const sentence = decision === "do" ? "I take it up now." : "I leave it.";
    await this.runs.answered(message, run, cause, sentence, { by: person.principal, via: this.channel });
    if (decision === "drop") return;
    for (const { message: one, principal, seq, origin } of held)
      this.runs.begin(run, { message: one, seq, origin, principal, text: null });
  }

  /** Whether somebody was paired on this channel. */
  knows(user: string): boolean {
    return this.#parts.state.personOf(this.channel, user) !== null;
  }

  /** Takes in that somebody changed or deleted a message of theirs. What waits is changed; what was begun is not, and that is said.
   *  @returns true if it had been seen before. */
  async change(changed: Changed, text: Uint8Array): Promise<boolean> {
    const { state, log, refusals } = this.#parts;
    if (state.wasSeen(this.channel, changed.dedupe)) return true;
    const person = state.personOf(this.channel, changed.sender);
    if (person === null) {
      await refusals.refuse({ channel: this.channel, reason: "stranger", source: changed.sender });
      return false;
    }
    const written = state.written(this.channel, changed.message);
    const record = written === null ? null : state.session(written.session);
    const place = record === null ? null : state.conversation(record.conversation);
    // What was never taken in is nothing that could be changed: group talk that was not for us, say.
    if (written === null || place === null || written.principal !== person.principal) return false;
    const session = SessionId.parse(written.session);
    const run = this.runs.known(session);
    const row = Promise.withResolvers<number>();
    row.promise.catch(() => undefined);
    // First of all, and at once: it must not be begun while the change is on its way to the log.
    const waited =
      changed.change === "deleted"
        ? (run?.drop(written.message) ?? false)
        : (run?.replace(written.message, row.promise) ?? false);
    const effect = waited || written.held ? "queued" : "begun";
    try {
      const { seq } = await log.append(
        {
          kind: "message.changed",
          message: written.message,
          session,
          conversation: place.conversation,
          channel: this.channel,
          principal: person.principal,
          change: changed.change,
          effect,
        },
        { cause: written.seq, seal: session, content: { text, platform: changed.dedupe } },
      );
      row.resolve(seq);
      if (effect === "begun")
        this.#out.sayLater(this.#out.at(place), {
          purpose: "answer",
          text: BEGUN[changed.change],
          cause: seq,
          session,
        });
    } catch (error) {
      row.reject(error);
      throw error;
    }
    return false;
  }

  /** Refuses what somebody writes beyond what one person may, before anything of it is recorded; where they are known to be reached, they are told. */
  async #tooMany(person: Person, inbound: Inbound): Promise<boolean> {
    const verdict = this.#rate.take(person.principal);
    if (verdict === "taken") return false;
    const place = this.#parts.state.conversationAt(this.channel, inbound.place, inbound.thread);
    if (verdict === "refused" && place !== null)
      this.#out.sayLater(this.#out.at(place), {
        purpose: "answer",
        text: TOO_MANY,
        cause: null,
        whose: person.principal,
      });
    await this.#parts.refusals.refuse({ channel: this.channel, reason: "too-many", source: inbound.sender });
    return true;
  }

  /** Ends the turn that runs where this was written, once. */
  async #obey(inbound: Inbound, agent: string, who: By): Promise<void> {
    if (this.#obeyed.has(inbound.dedupe)) return;
    this.#obeyed.set(inbound.dedupe, await this.#stopAt(inbound.place, inbound.thread, agent, who));
  }

  async #stopAt(where: string, thread: string | null, agent: string, who: By): Promise<boolean> {
    const { state } = this.#parts;
    const place = state.conversationAt(this.channel, where, thread);
    const open = place === null ? null : state.openSession(place.conversation, agent);
    return open === null ? false : await this.runs.stop(open.session, who);
  }

  /** A button was pressed. @returns what the presser is told. */
  async press(pressed: Pressed): Promise<string> {
    const { state, refusals } = this.#parts;
    const person = state.personOf(this.channel, pressed.sender);
    if (person === null) {
      await refusals.refuse({ channel: this.channel, reason: "foreign-press", source: pressed.sender });
      return FOREIGN_PRESS;
    }
    const verdict = await this.#parts.decide({
      approval: pressed.card,
      decision: pressed.decision === "deny" ? "deny" : "approve",
      scope: pressed.decision === "approve-session" ? "session" : "once",
      reason: null,
      person,
      via: this.#link.channel,
    });
    // A card that nobody knows was not sent here either, as far as anybody can tell.
    if (verdict.state === "foreign" || verdict.state === "gone")
      await refusals.refuse({ channel: this.channel, reason: "foreign-press", source: pressed.sender });
    return verdict.sentence;
  }

  /** Says something as the owner on a channel of this machine (terminal, page). Resolves when the turn has ended. */
  async say(
    person: Person,
    place: string,
    text: Uint8Array,
    fresh: boolean,
  ): Promise<{ session: SessionId; end: TurnEnding }> {
    const { log } = this.#parts;
    const agent = place;
    const command = slashCommand(wordsOf(text));
    const who: By = { by: person.principal, via: this.channel };
    const stopped = command === "stop" && (await this.#stopAt(place, null, agent, who));
    const address = await this.#out.address({ place, thread: null, talk: "direct" }, person.principal);
    if (fresh) {
      const open = this.#parts.state.openSession(address.conversation, agent);
      if (open !== null) await this.runs.over(this.runs.of(open.session, address, agent), "new");
    }
    const run = await this.runs.in(address, agent);
    const message = mint("message");
    const row = await log.append(
      {
        kind: "message.received",
        message,
        session: run.session.id,
        conversation: address.conversation,
        channel: this.channel,
        principal: person.principal,
      },
      { cause: null, seal: run.session.id, content: { text } },
    );
    if (command !== null && command !== "compact") {
      await this.runs.answered(
        message,
        run,
        row.seq,
        await this.#commands.obey(command, run, agent, person, stopped),
        who,
      );
      return { session: run.session.id, end: "done" };
    }
    const ended = Promise.withResolvers<TurnEnding>();
    this.runs.begin(run, { message, seq: row.seq, principal: person.principal, text, ended: ended.resolve });
    return { session: run.session.id, end: await ended.promise };
  }

  /** A conversation of this channel, begun where there is none. */
  async conversation(place: string, whose: string): Promise<string> {
    return (await this.#out.address({ place, thread: null, talk: "direct" }, whose)).conversation;
  }

  /** Begins a run by schedule, as if whose it is had written here. @returns when its turn has ended; null while no turn is begun here. */
  async scheduled({ schedule, place, text, due, why }: Run): Promise<{ readonly ended: Promise<TurnEnding> } | null> {
    if (this.runs.closed) return null;
    const run = await this.runs.in(this.#out.at(place), schedule.agent);
    const message = mint("message");
    const bytes = Buffer.from(`${text}\n\n${UNATTENDED}`);
    const row = await this.#parts.log.append(
      {
        kind: "schedule.started",
        schedule: schedule.schedule,
        message,
        session: run.session.id,
        conversation: schedule.conversation,
        channel: this.channel,
        principal: schedule.principal,
        due,
        why,
      },
      { cause: schedule.seq, seal: run.session.id, content: { text: bytes } },
    );
    const ended = Promise.withResolvers<TurnEnding>();
    this.runs.begin(run, { message, seq: row.seq, principal: schedule.principal, text: bytes, ended: ended.resolve });
    return { ended: ended.promise };
  }

  /** Takes a message of before a restart up again. */
  resume(record: ConversationRecord, session: SessionId, message: Waiting): void {
    const agent = this.#parts.state.session(session)?.agent ?? this.#parts.agent(record.conversation);
    this.runs.of(session, this.#out.at(record), agent).enqueue(message);
  }

  /** Begins a turn that makes calls again which nobody had approved in time. */
  repeat(record: ConversationRecord, session: SessionId, repeated: Repeated): void {
    const agent = this.#parts.state.session(session)?.agent ?? this.#parts.agent(record.conversation);
    this.runs.begin(this.runs.of(session, this.#out.at(record), agent), repeated);
  }

  /** A sentence of ours into a conversation of this channel. */
  async tell(
    record: ConversationRecord,
    session: SessionId | null,
    text: string,
    cause: number | null,
    whose: string | null = session,
  ): Promise<Delivery> {
    return await this.#out.say(this.#out.at(record), { purpose: "notice", text, cause, session, whose });
  }

  /** A message of an agent whose turn is in another conversation. It is plain text, and the platform looks up none of its links.
   *  @param session that of the turn: its key seals the content. */
  async pass(
    record: ConversationRecord,
    session: SessionId,
    text: string,
    cause: number,
    files: readonly OutgoingFile[],
  ): Promise<Delivery> {
    return await this.#out.say(this.#out.at(record), { purpose: "message", text, cause, session, files });
  }

  /** Where somebody is reached alone who has not written there. @param user the platform's id of them. @returns null: the platform knows no way, or does not say. */
  async openDirect(user: string, principal: string): Promise<ConversationRecord | null> {
    const place = await this.#link.openDirect(user);
    // They may have been removed while the platform was asked.
    if (place === null || this.#parts.state.person(principal) === null) return null;
    const { conversation } = await this.#out.address({ place, thread: null, talk: "direct" }, principal);
    return this.#parts.state.conversation(conversation);
  }

  /** What the platform remembers of a message of ours. @param since Unix milliseconds. */
  async lookUp(record: ConversationRecord, key: string, since: number): Promise<LookedUp> {
    return await this.#link.lookUp(this.#out.at(record), key, since);
  }

  /** See {@link ChannelOut.card}. */
  async card(
    record: ConversationRecord,
    view: ApprovalView,
    parts: readonly string[],
    cause: number,
  ): Promise<readonly string[]> {
    return await this.#out.card(record, view, parts, cause);
  }

  /** See {@link ChannelOut.editCard}. */
  async editCard(
    record: ConversationRecord,
    ids: readonly string[],
    text: string,
    cause: number | null,
    session: SessionId | null,
  ): Promise<Delivery> {
    return await this.#out.editCard(record, ids, text, cause, session);
  }
}

/** A text as far as it can be a command, a code or an answer to a card. */
function wordsOf(text: Uint8Array): string {
  return text.length > MAX_COMMAND_BYTES ? "" : Buffer.from(text).toString("utf8");
}

const TOO_MANY =
  "You write faster than I can follow: what you wrote just now is not taken. Wait a minute, and say it again if you still need it; /stop works at any time.";

/** The platform's id of a message. */
function idOf({ message, dedupe }: Inbound): string {
  return message ?? dedupe;
}

/** A platform may say any time: one that is ahead of ours, or no date at all, is now. */
function timeOf(sentAt: number, now: number): string {
  return new Date(Math.min(sentAt, now)).toISOString();
}
