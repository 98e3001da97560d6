import type { AuditLog } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import { ApprovalError } from "../broker/approval-error.ts";
import type { ApprovalPorts, ClosedState } from "../broker/approval-ports.ts";
import { Approvals } from "../broker/approvals.ts";
import { fitCard } from "../broker/card.ts";
import type { Grants } from "../broker/grants.ts";
import type { Repeats } from "../broker/repeats.ts";
import { answersTo, decidedElsewhere, isLocal, mayDecide, type PendingApproval, viewOf } from "../broker/pending.ts";
import { AdapterChannel, type Channel, type LocalChannel } from "../ipc/channel.ts";
import { ApprovalId, SessionId } from "../ipc/ids.ts";
import type { ApprovalScope, ApprovalView } from "../ipc/operator.ts";
import type { Channels } from "./channels.ts";
import { OperatorError } from "./operator-error.ts";
import type { People } from "./people.ts";
import { where } from "./row-words.ts";
import type { ConversationRecord, Person, State } from "./state.ts";

/** One message of a chat platform holds a card of this size; Telegram's limit of 4,096 is after its markup. */
const CARD_CHARACTERS = 3000;
/** A longer card goes before itself in so many messages; a still longer one is decided on the page or the terminal. */
const MAX_PARTS = 8;
/** Whoever asked is told where it is shown after this long, whatever a platform has still to say of it. */
const TELL_AFTER_MS = 10_000;

/** An answer to a card, from wherever it came. */
export interface Ask {
  /** By its id (a button, a command), or by the code that a person typed. */
  readonly approval?: string;
  readonly code?: string;
  readonly decision: "approve" | "deny";
  readonly scope: ApprovalScope;
  /** Digest of the card that was seen, where the answer does not itself belong to the card. */
  readonly digest?: string;
  readonly reason: string | null;
  readonly person: Person;
  readonly via: Channel;
}

export interface Verdict {
  readonly state: "approved" | "counted" | "denied" | "expired" | "gone" | "foreign" | "refused";
  readonly sentence: string;
}
export type Decider = (ask: Ask) => Promise<Verdict>;

/** Somebody wants to be asked again what nobody answered in time. */
export interface AskAgain {
  /** Its id, or its code. */
  readonly which: string;
  readonly person: Person;
  readonly via: Channel;
}
/** Whether it is asked again, and what to tell. */
export interface Repeating {
  readonly again: boolean;
  readonly sentence: string;
}
export type Repeater = (ask: AskAgain) => Promise<Repeating>;

function no(sentence: string): Repeating {
  return { again: false, sentence };
}

/** Somebody who may decide and has not written on a channel yet. */
interface Unwritten {
  readonly principal: string;
  readonly channel: AdapterChannel;
  readonly id: string;
}

export interface DeskParts {
  readonly log: AuditLog;
  readonly clock: Clock;
  readonly grants: Grants;
  readonly state: State;
  readonly people: People;
  readonly channels: () => Pick<Channels, "local" | "tell" | "card" | "openDirect" | "editCard" | "repeat">;
  /** What nobody answered in time. */
  readonly repeats: () => Repeats;
  readonly line: (role: string, line: string) => void;
}

/** Where cards go, and where their answers come from. The cards themselves, and who may answer them, are the broker's. */
export class ApprovalDesk {
  readonly approvals: Approvals;
  readonly #parts: DeskParts;
  /** What became of cards that are still on their way to where they are shown. */
  readonly #sending = new Map<string, { left: number; over: string | null }>();

  constructor(parts: DeskParts) {
    this.#parts = parts;
    const ports: ApprovalPorts = {
      show: async (pending, sentTo) => await this.#show(pending, sentTo),
      closed: (pending, state, sentence, by) => this.#closed(pending, state, sentence, by),
      counted: async (before, pending, sentence, sentTo) => await this.#counted(before, pending, sentence, sentTo),
      sameChannel: (principal, channel) => this.#sameChannel(principal, channel),
      stillDecides: (principal) => {
        const person = parts.state.person(principal);
        return person !== null && mayDecide(person.role);
      },
      // The channel that heard it records it, with the platform's own id of whoever pressed.
      foreignPress: () => undefined,
    };
    this.approvals = new Approvals(parts.log, parts.clock, parts.grants, ports);
  }

  get pending(): number {
    return this.approvals.list().length;
  }

  list(via: LocalChannel): ApprovalView[] {
    return this.approvals.list().map((pending) => viewOf(pending, via, "owner"));
  }

  show(approval: string, via: LocalChannel): ApprovalView {
    const pending = this.approvals.get(approval);
    if (pending === null)
      throw new OperatorError(
        "not-found",
        "there is no such request, or it is over",
        "wirken approvals list shows what waits",
      );
    return viewOf(pending, via, "owner");
  }

  async decide(ask: Ask): Promise<Verdict> {
    const approval = ask.approval ?? this.approvals.byCode(ask.code ?? "")?.approval ?? ask.code ?? "";
    try {
      const {
        state,
        sentence,
        approval: late,
      } = await this.approvals.decide(approval, {
        by: ask.person.principal,
        name: ask.person.name,
        role: ask.person.role,
        via: ask.via,
        decision: ask.decision,
        scope: ask.scope,
        card: ask.digest ?? null,
        reason: ask.reason,
      });
      return { state, sentence: late === null ? sentence : `${sentence}; ${this.#offer(late)}` };
    } catch (error) {
      if (!(error instanceof ApprovalError)) throw error;
      return {
        state: error.code === "foreign" || error.code === "not-allowed" ? "foreign" : "refused",
        sentence: error.message,
      };
    }
  }

  /** Has what nobody answered in time asked again, for whoever asked it, where they asked it: it is decided anew.
   *  @returns what to tell. @throws {AuditError} if it could not be recorded: nothing is asked then. */
  async again({ which, person, via }: AskAgain): Promise<Repeating> {
    const over = this.approvals.over(which);
    const repeat = over === null || over.state !== "expired" ? null : this.#parts.repeats().find(over.approval);
    if (over === null || repeat === null) return no("there is nothing of that to ask again: say what you need");
    const asker = repeat.turn.principal === person.principal;
    if (!asker && !mayDecide(person.role)) return no("only whoever asked, an approver or the owner has it asked again");
    if (!isLocal(via) && via !== repeat.turn.channel && over.shown?.has(via) !== true)
      return no("this request was not sent there, so it is not asked again there");
    this.#parts.repeats().take(over.approval);
    const { log, state } = this.#parts;
    const asked = state.session(repeat.turn.session);
    const goesOn =
      asked !== null && state.openSession(asked.conversation, asked.agent)?.session === repeat.turn.session;
    if (!goesOn) return no("its conversation is over: say what you need in a new one");
    const requested = log.row(repeat.turn.cause)?.action;
    if (requested?.kind !== "turn.started") return no("there is nothing of that to ask again: say what you need");
    const session = SessionId.parse(repeat.turn.session);
    const what = [...repeat.asks.map(({ name }) => name), ...repeat.replies.map(() => "an answer here")];
    const text = `Ask again for what nobody answered in time: ${what.join(", ")}.`;
    const row = await log.append(
      { kind: "approval.repeated", approval: ApprovalId.parse(over.approval), session, by: person.principal, via },
      { cause: repeat.turn.cause, seal: session, content: { text } },
    );
    const record = state.conversation(asked.conversation);
    if (record === null) return no("its conversation is over: say what you need in a new one");
    this.#parts.channels().repeat(record, session, {
      message: requested.message,
      seq: row.seq,
      principal: repeat.turn.principal,
      text: Buffer.from(text),
      asks: repeat.asks,
      replies: repeat.replies,
    });
    return { again: true, sentence: "asked again" };
  }

  /** Only while they are known nowhere else. */
  #sameChannel(principal: string, channel: Channel): number | null {
    const { state } = this.#parts;
    const known = new Set(state.identities(principal).map((one) => one.channel));
    return known.size === 1 && known.has(channel) ? state.sameChannel(principal) : null;
  }

  #offer(approval: string): string {
    if (this.#parts.repeats().find(approval) === null) return "say again what you need";
    const code = this.approvals.over(approval)?.code ?? "";
    return `to be asked again: again ${code}`;
  }

  /** One of several approved it: the cards of before end, and whoever has not approved it yet gets the one that says so. */
  async #counted(
    before: PendingApproval,
    pending: PendingApproval,
    sentence: string,
    sentTo: (channel: Channel) => void,
  ): Promise<void> {
    const channels = this.#parts.channels();
    channels.local("web").emit(null, { event: "approval", approval: viewOf(pending, "web", "owner") });
    channels.local("terminal").emit(null, { event: "approval", approval: viewOf(pending, "terminal", "owner") });
    await this.#editCards(before, sentence);
    const open = this.approvals.get(pending.approval);
    if (open !== pending) return;
    await this.#cards(pending, this.#approversAt(pending), sentTo);
  }

  async #show(pending: PendingApproval, sentTo: (channel: Channel) => void): Promise<void> {
    const channels = this.#parts.channels();
    const { turn } = pending;
    channels.local("web").emit(null, { event: "approval", approval: viewOf(pending, "web", "owner") });
    if (turn.channel === "terminal")
      channels
        .local("terminal")
        .emit(turn.agent, { event: "approval", approval: viewOf(pending, "terminal", "owner") });
    // One person is enough, and has it before them.
    if (isLocal(turn.channel) && pending.several === null) return;
    const asked = isLocal(turn.channel) ? null : this.#parts.state.conversation(turn.conversation);
    const here =
      pending.several === null &&
      asked?.talk === "direct" &&
      mayDecide(turn.role) &&
      decidedElsewhere(pending, turn.channel, turn.principal) === null;
    const shown = new Set(
      await this.#cards(pending, here && asked !== null ? [asked] : this.#approversAt(pending), sentTo),
    );
    if (here || asked === null) return;
    const others = this.#unwrittenAt(pending).map(async (one) => await this.#cardFirst(pending, one, sentTo, shown));
    const long = AbortSignal.timeout(TELL_AFTER_MS);
    await Promise.race([Promise.all(others), new Promise((resolve) => long.addEventListener("abort", resolve))]);
    const decidedAt =
      shown.size === 0
        ? "on the page or the terminal"
        : `by an approver (shown on ${[...shown].toSorted().join(", ")})`;
    const words = `Waiting for an approver: this is decided ${decidedAt}.`;
    await channels.tell(asked, SessionId.parse(turn.session), words, pending.row);
  }

  async #cards(
    pending: PendingApproval,
    targets: readonly ConversationRecord[],
    sentTo: (channel: Channel) => void,
  ): Promise<AdapterChannel[]> {
    const shown: AdapterChannel[] = [];
    for (const target of targets) {
      const channel = AdapterChannel.parse(target.channel);
      if (await this.#card(pending, target, channel, sentTo)) shown.push(channel);
    }
    return shown;
  }

  /** Who could decide it on a channel where they have not written yet, by the platform's id of them. */
  #unwrittenAt(pending: PendingApproval): Unwritten[] {
    const { people, state } = this.#parts;
    return people.approvers().flatMap(({ principal }) => {
      const written = new Set(state.directOf(principal).map(({ channel }) => channel));
      return state.identities(principal).flatMap(({ channel: name, id }) => {
        const channel = AdapterChannel.safeParse(name);
        if (!channel.success || written.has(name) || decidedElsewhere(pending, channel.data, principal) !== null)
          return [];
        return [{ principal, channel: channel.data, id }];
      });
    });
  }

  /** The card opens a conversation with somebody, where their platform lets it. */
  async #cardFirst(
    pending: PendingApproval,
    { principal, channel, id }: Unwritten,
    sentTo: (channel: Channel) => void,
    shown: Set<AdapterChannel>,
  ): Promise<void> {
    try {
      const opened = await this.#parts.channels().openDirect(channel, id, principal);
      // It may have been decided while the platform was asked.
      if (opened === null || this.approvals.get(pending.approval) === null) return;
      if (await this.#card(pending, opened, channel, sentTo)) shown.add(channel);
    } catch (error) {
      this.#parts.line(
        "approvals",
        `no conversation could be opened on ${channel}: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }

  /** The direct conversations of approvers where this may be decided: the newest of each person on each channel. */
  #approversAt(pending: PendingApproval): ConversationRecord[] {
    return this.#parts.people.approvers().flatMap((person) => {
      const seen = new Set<string>();
      return this.#parts.state.directOf(person.principal).filter((record) => {
        const channel = AdapterChannel.safeParse(record.channel);
        if (
          !channel.success ||
          seen.has(record.channel) ||
          decidedElsewhere(pending, channel.data, person.principal) !== null
        )
          return false;
        seen.add(record.channel);
        return true;
      });
    });
  }

  async #card(
    pending: PendingApproval,
    target: ConversationRecord,
    channel: AdapterChannel,
    sentTo: (channel: Channel) => void,
  ): Promise<boolean> {
    const channels = this.#parts.channels();
    const fitted = fitCard(pending.card, CARD_CHARACTERS, MAX_PARTS, answersTo(pending));
    if (fitted === null) {
      await channels.tell(
        target,
        null,
        `A request by agent ${pending.turn.agent} is too long to be shown here whole: decide it on the page, or with wirken approvals show.`,
        pending.row,
      );
      return false;
    }
    sentTo(channel);
    const sending = this.#sending.get(pending.approval) ?? { left: 0, over: null };
    sending.left += 1;
    this.#sending.set(pending.approval, sending);
    // Beside the sending: a platform that is slow must not keep the card from the page and the terminal.
    void channels
      .card(target, viewOf(pending, channel, "owner"), [...fitted.parts, fitted.card], pending.row)
      .then(async (ids) => {
        if (ids.length === 0) return;
        this.#parts.state.saveCard(pending.approval, target.channel, target.conversation, ids);
        // Decided elsewhere while it was on its way: it must not keep its buttons.
        if (sending.over !== null) await this.#editCards(pending, sending.over);
      })
      .catch((error: unknown) =>
        this.#parts.line(
          "approvals",
          `a card could not be sent: ${error instanceof Error ? error.message : String(error)}`,
        ),
      )
      .finally(() => {
        sending.left -= 1;
        if (sending.left === 0) this.#sending.delete(pending.approval);
      });
    return true;
  }

  #closed(
    pending: PendingApproval,
    state: ClosedState,
    sentence: string,
    by: Parameters<ApprovalPorts["closed"]>[3],
  ): void {
    const channels = this.#parts.channels();
    const event = {
      event: "approval.closed",
      approval: pending.approval,
      state: state === "withdrawn" ? "expired" : state,
      sentence,
      ...(state === "expired" ? { again: true } : {}),
    } as const;
    channels.local("web").emit(null, event);
    channels.local("terminal").emit(null, event);
    const sending = this.#sending.get(pending.approval);
    // Those who see a card need not be those who decided on it.
    const said = by === null ? sentence : `${sentence} by ${by.name}, ${where(by.via)}`;
    if (sending !== undefined) sending.over = said;
    const untold = (error: unknown): void =>
      this.#parts.line(
        "approvals",
        `a card could not be updated: ${error instanceof Error ? error.message : String(error)}`,
      );
    void this.#editCards(pending, said).catch(untold);
    // When whoever waited for the answer has it, so that it can be asked again.
    if (state === "expired") setImmediate(() => void this.#tellExpired(pending, sentence).catch(untold));
  }

  /** Whoever asked is told where they asked: their card may have been somewhere else. */
  async #tellExpired(pending: PendingApproval, sentence: string): Promise<void> {
    const { turn } = pending;
    const asked = isLocal(turn.channel) ? null : this.#parts.state.conversation(turn.conversation);
    if (asked === null) return;
    const words = `${sentence}; ${this.#offer(pending.approval)}`;
    await this.#parts.channels().tell(asked, SessionId.parse(turn.session), words, pending.row);
  }

  /** A card says what became of it, and loses its buttons. */
  async #editCards(pending: PendingApproval, sentence: string): Promise<void> {
    const shown = pending.card.text.length <= CARD_CHARACTERS ? `\n\n${pending.card.text}` : "";
    await this.#edit(pending.approval, `${sentence}${shown}`, pending.row, SessionId.parse(pending.turn.session));
  }

  /** Cards that were still to be answered when the daemon ended lose their buttons too. */
  async closeLeft(): Promise<void> {
    for (const approval of this.#parts.state.cardsLeft()) {
      if (this.approvals.get(approval) !== null) continue;
      await this.#edit(approval, "expired: nobody answered before a restart, and nothing ran", null, null);
    }
  }

  async #edit(approval: string, text: string, cause: number | null, session: SessionId | null): Promise<void> {
    const { state } = this.#parts;
    let over = true;
    for (const card of state.cards(approval)) {
      const record = state.conversation(card.conversation);
      if (record === null) continue;
      over = (await this.#parts.channels().editCard(record, card.ids, text, cause, session)) && over;
    }
    // What could not be reached is tried again after the next start.
    if (over) state.forgetCard(approval);
  }
}
