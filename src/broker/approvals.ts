import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog, FactOf } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import { digestOf } from "../effect/action.ts";
import type { Channel } from "../ipc/channel.ts";
import { ApprovalId, mint } from "../ipc/ids.ts";
import type { ApprovalScope } from "../ipc/operator.ts";
import { ApprovalError } from "./approval-error.ts";
import type { Answered, Answering, ApprovalPorts, ApprovalRequest, ClosedState, Verdict } from "./approval-ports.ts";
import { type Card, renderCard } from "./card.ts";
import { type ClosedCard, ClosedCards } from "./closed-cards.ts";
import { Deadline } from "./deadline.ts";
import { type Batch, Gathering } from "./gathering.ts";
import type { Grants } from "./grants.ts";
import { agentName, chainOf } from "./lowered.ts";
import { decidedElsewhere, endsOf, isLocal, mayDecide, newCode, type PendingApproval } from "./pending.ts";
import type { TurnContext } from "./turn.ts";

/** How long a card waits for its answer. */
export const EXPIRES_MS = 5 * 60_000;
interface Open {
  pending: PendingApproval;
  /** Makes the card anew, for those who have approved it. */
  readonly render: (given: readonly string[]) => Card;
  /** Who approved it already, where several have to. */
  given: { readonly by: string; readonly name: string }[];
  readonly batch: Batch;
  /** Where the card was sent. */
  readonly shown: Set<Channel>;
  readonly deadline: Deadline;
}

const OVER = {
  expired: `expired: nobody answered within ${EXPIRES_MS / 60_000} minutes, so it is denied and nothing ran`,
  withdrawn: "withdrawn: the turn was ended, and nothing ran",
} as const;
const SLEPT = "expired: this machine slept while it waited, so it is denied and nothing ran";

/** The cards that wait, and the answers to them. */
export class Approvals {
  readonly #log: Pick<AuditLog, "append" | "row">;
  readonly #clock: Clock;
  readonly #grants: Grants;
  readonly #ports: ApprovalPorts;
  readonly #gathering = new Gathering(async (batch) => await this.#ask(batch));
  readonly #open = new Map<string, Open>();
  readonly #closed = new ClosedCards();

  constructor(log: Pick<AuditLog, "append" | "row">, clock: Clock, grants: Grants, ports: ApprovalPorts) {
    this.#log = log;
    this.#clock = clock;
    this.#grants = grants;
    this.#ports = ports;
  }

  /** What was pending when the daemon died: nobody waits for the answer any more, so it expires. @param asked the rows of the questions. */
  async expireInterrupted(asked: readonly number[]): Promise<number> {
    let expired = 0;
    for (const seq of asked) {
      const action = this.#log.row(seq)?.action;
      if (action?.kind !== "approval.requested") continue;
      await this.#log.append(decided(ApprovalId.parse(action.approval), "expired", "once", null), { cause: seq });
      this.#closed.add(action.approval, { code: "", state: "expired", shown: null });
      expired += 1;
    }
    return expired;
  }

  /** The machine slept: nobody could answer meanwhile, and nothing that was asked before is done after it. */
  async expireAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map(async (approval) => await this.#expire(approval, "expired", SLEPT)));
  }

  list(): PendingApproval[] {
    return [...this.#open.values()].map(({ pending }) => pending);
  }

  get(approval: string): PendingApproval | null {
    return this.#open.get(approval)?.pending ?? null;
  }

  /** By the code that a person typed, in whatever case. */
  byCode(code: string): PendingApproval | null {
    return this.list().find((pending) => pending.code === code.toUpperCase()) ?? null;
  }

  /** A card that is over, by its id or its code. */
  over(name: string): ({ readonly approval: string } & ClosedCard) | null {
    return this.#closed.find(name);
  }

  /** Asks, and waits for the answer. Same-kind calls of one model answer are one card.
   *  @throws {AuditError} if the question could not be recorded: nobody was asked. */
  request(request: ApprovalRequest): Promise<Verdict> {
    return this.#gathering.add(request);
  }

  async #ask(batch: Batch): Promise<void> {
    const first = batch.requests[0]?.request;
    if (first === undefined) return;
    const { turn, keys, tier, scopes, remembers, several } = first;
    if (turn.signal.aborted) {
      for (const { settle } of batch.requests) settle({ state: "withdrawn" });
      return;
    }
    const approval = mint("approval");
    const now = this.#clock.now();
    const expires = new Date(now + EXPIRES_MS).toISOString();
    const actions = batch.requests.flatMap(({ request }) => request.actions.map((bytes) => bytes.slice()));
    const render = (given: readonly string[]): Card =>
      renderCard({
        requester: turn.requester,
        agent: agentName(turn),
        channel: turn.channel,
        tier,
        reason: first.reason,
        rests: restsOn(turn),
        labels: first.labels,
        suspects: first.suspects,
        people: several === null ? null : { ...several, given },
        end: first.end === null ? null : new Date(first.end).toISOString(),
        expires,
        actions,
        whys: batch.requests.flatMap(({ request }) => request.whys),
      });
    const card = render([]);
    const row = await this.#log.append(
      {
        kind: "approval.requested",
        approval,
        turn: turn.turn,
        session: turn.session,
        agent: turn.agent,
        principal: turn.principal,
        ...chainOf(turn),
        key: keys[0],
        tier,
        expires,
      },
      { cause: first.cause, seal: turn.session, content: { action: joined(actions), card: card.text } },
    );
    const pending: PendingApproval = {
      approval,
      code: this.#freshCode(),
      row: row.seq,
      at: row.at,
      expires,
      turn,
      key: keys[0],
      remembers,
      tier,
      scopes,
      ends: endsOf(now),
      card,
      several: several === null ? null : { ...several, given: [] },
      sameChannel: this.#ports.sameChannel(turn.principal, turn.channel),
    };
    const deadline = new Deadline(this.#clock, EXPIRES_MS, () => void this.#expire(approval, "expired"));
    const open: Open = { pending, render, given: [], batch, shown: new Set(), deadline };
    this.#open.set(approval, open);
    turn.signal.addEventListener("abort", () => void this.#expire(approval, "withdrawn"), { once: true });
    if (turn.signal.aborted) {
      await this.#expire(approval, "withdrawn");
      return;
    }
    try {
      await this.#ports.show(pending, (channel) => open.shown.add(channel));
    } catch {
      // A channel that does not take it keeps nobody from deciding: the terminal and the page list what waits.
    }
  }

  /** Takes an answer. The first one counts.
   *  @returns what became of the card; `gone`: there is no such card.
   *  @throws {ApprovalError} if this answer cannot be taken: the card waits on. @throws {AuditError} if an approval could not be recorded: the same. */
  async decide(approval: string, answer: Answering): Promise<Answered> {
    const open = this.#open.get(approval);
    if (open === undefined) return this.#late(approval, answer);
    const { pending } = open;
    this.#mustBeShownAt(open.shown, answer);
    if (answer.decision === "deny") {
      // Whoever asked may take it back; everybody else who denies decides.
      if (!mayDecide(answer.role) && answer.by !== pending.turn.principal) throw notAllowed();
      await this.#end(open, "denied", answer, "denied");
      return { state: "denied", sentence: "denied: nothing ran", approval: null };
    }
    if (!mayDecide(answer.role)) throw notAllowed();
    const elsewhere = decidedElsewhere(pending, answer.via, answer.by);
    if (elsewhere !== null) throw new ApprovalError("elsewhere", elsewhere);
    if (Date.parse(pending.expires) <= this.#clock.now()) {
      await this.#expire(approval, "expired");
      return this.#late(approval, answer);
    }
    if (answer.card !== null && answer.card !== pending.card.digest) {
      throw new ApprovalError(
        "other-card",
        "this is not the request that you were shown: look at it again (wirken approvals show)",
      );
    }
    if (!pending.scopes.includes(answer.scope)) {
      throw new ApprovalError("scope", `this can be approved ${pending.scopes.join(" or ")} only`);
    }
    // Nothing is waited for up to here: of two answers at once the second finds what the first one did.
    if (!this.#isLast(open, answer))
      return { state: "counted", sentence: await this.#count(open, answer), approval: null };
    await this.#approve(open, answer);
    return { state: "approved", sentence: "approved", approval: null };
  }

  /** Has nobody else to approve it after this? @throws {ApprovalError} for somebody who does not count. */
  #isLast(open: Open, answer: Answering): boolean {
    const { several, turn } = open.pending;
    if (several === null) return true;
    // What somebody approved who may not any more counts no more.
    open.given = open.given.filter(({ by }) => this.#ports.stillDecides(by));
    const { given } = open;
    if (given.some(({ by }) => by === answer.by))
      throw new ApprovalError("not-allowed", "you approved this already: another person has to as well");
    if (!several.requesterCounts && answer.by === turn.principal)
      throw new ApprovalError("not-allowed", "you asked for this: two other people have to approve it");
    return given.length + 1 >= several.needs;
  }

  /** One of several approved it. @returns how far it is. */
  async #count(open: Open, answer: Answering): Promise<string> {
    const { pending, given } = open;
    // Counted first: the same person's second press, that comes while this one is recorded, is not another person's.
    given.push({ by: answer.by, name: `${answer.name} on ${answer.via}` });
    const names = given.map(({ name }) => name);
    const card = open.render(names);
    try {
      const row = await this.#log.append(
        { kind: "approval.counted", approval: pending.approval, by: answer.by, via: answer.via, count: given.length },
        { cause: pending.row, seal: pending.turn.session, content: { card: card.text } },
      );
      const several = pending.several === null ? null : { ...pending.several, given: names };
      open.pending = { ...pending, row: row.seq, several, card };
    } catch (cause) {
      given.pop();
      throw cause;
    }
    const sentence = `${names.length} of ${pending.several?.needs ?? 1}: another person has to approve it too`;
    // It is on the record: what of it can be shown is another question.
    if (this.#open.has(pending.approval))
      await this.#ports
        .counted(pending, open.pending, sentence, (channel) => open.shown.add(channel))
        .catch(() => undefined);
    return sentence;
  }

  /** A press counts only from a channel that the card was sent to, while it waits and after. */
  #mustBeShownAt(shown: ReadonlySet<Channel> | null, answer: Answering): void {
    if (isLocal(answer.via) || shown === null || shown.has(answer.via)) return;
    this.#ports.foreignPress(answer.via, answer.by);
    throw new ApprovalError("foreign", "this request was not sent there, so it is not decided there");
  }

  async #approve(open: Open, answer: Answering): Promise<void> {
    const { pending, batch } = open;
    // Taken off first: a second press that comes while this one is recorded finds nothing. Put back if the log does not take it.
    this.#open.delete(pending.approval);
    let row: number;
    try {
      // What nothing else would have allowed there says what did.
      const under = decidedElsewhere(pending, answer.via) === null ? null : pending.sameChannel;
      const action = decided(pending.approval, "approved", answer.scope, answer);
      const appended = await this.#log.append(under === null ? action : { ...action, under }, {
        cause: pending.row,
        seal: pending.turn.session,
        ...(answer.reason === null ? {} : { content: { reason: answer.reason } }),
      });
      row = appended.seq;
    } catch (cause) {
      this.#open.set(pending.approval, open);
      throw cause;
    }
    try {
      if (answer.scope !== "once") {
        const until = pending.ends[answer.scope];
        const given = { by: answer.by, via: answer.via, cause: row, until };
        for (const key of pending.remembers) await this.#grants.give(pending.turn, key, answer.scope, given);
      }
    } finally {
      // On the record it is approved, whether or not it can be remembered too.
      this.#close(open, "approved", "approved", answer);
      for (const { request, settle } of batch.requests) {
        const covers = request.actions.map((bytes) => digestOf(bytes));
        settle({ state: "approved", rests: row, covers, scope: answer.scope });
      }
    }
  }

  /** What reduces authority is done first and recorded when it can be. */
  async #end(
    open: Open,
    state: "denied" | "expired" | "withdrawn",
    answer: Answering | null,
    sentence: string,
  ): Promise<void> {
    const { pending } = open;
    this.#settle(open, state, answer, sentence);
    await this.#log.append(decided(pending.approval, state, "once", answer), {
      cause: pending.row,
      seal: pending.turn.session,
      ...(answer?.reason === null || answer === null ? {} : { content: { reason: answer.reason } }),
    });
  }

  #settle(open: Open, state: "denied" | "expired" | "withdrawn", answer: Answering | null, sentence: string): void {
    this.#open.delete(open.pending.approval);
    this.#close(open, state, sentence, answer);
    for (const { settle } of open.batch.requests) {
      if (state === "denied") settle({ state, reason: answer?.reason ?? null });
      else settle(state === "expired" ? { state, approval: open.pending.approval } : { state });
    }
  }

  /** Withdraws what waits for somebody, at once. @returns the rows that say so, for whoever records them. */
  withdrawOf(principal: string): FactOf[] {
    const theirs = [...this.#open.values()].filter(({ pending }) => pending.turn.principal === principal);
    return theirs.map((open) => {
      this.#settle(open, "withdrawn", null, "withdrawn: whoever asked is no longer let in, and nothing ran");
      const { approval, turn } = open.pending;
      return { action: decided(approval, "withdrawn", "once", null), given: { seal: turn.session } };
    });
  }

  async #expire(approval: string, state: "expired" | "withdrawn", sentence: string = OVER[state]): Promise<void> {
    const open = this.#open.get(approval);
    if (open === undefined) return;
    try {
      await this.#end(open, state, null, sentence);
    } catch {
      // The log tells of its own failures. The card is closed, nothing ran, and a start finds the open question and expires it on the record.
    }
  }

  #close(open: Open, state: ClosedState, sentence: string, answer: Answering | null): void {
    open.deadline.clear();
    this.#closed.add(open.pending.approval, { code: open.pending.code, state, shown: open.shown });
    this.#ports.closed(open.pending, state, sentence, answer);
  }

  /** The answer to a press on a card that is over. @param approval or the code that was typed. */
  #late(approval: string, answer: Answering): Answered {
    const found = this.#closed.find(approval);
    this.#mustBeShownAt(found?.shown ?? null, answer);
    switch (found?.state) {
      case undefined:
        return {
          state: "gone",
          sentence: "there is no such request: it may be from before a restart; ask again",
          approval: null,
        };
      case "expired":
        return { state: "expired", sentence: "too late: this has expired, and nothing ran", approval: found.approval };
      case "withdrawn":
        return { state: "expired", sentence: "too late: its turn was ended, and nothing ran", approval: null };
      case "approved":
      case "denied":
        return { state: found.state, sentence: `this was ${found.state} already`, approval: null };
    }
  }

  #freshCode(): string {
    for (;;) {
      const code = newCode();
      if (this.byCode(code) === null) return code;
    }
  }
}

/** What a turn rests on, as rows. */
function restsOn({ cause, policy, settings }: TurnContext): string {
  return `the turn of row ${cause}; the policy ${policy.slice(0, 16)}; the agent's settings ${settings.slice(0, 16)}`;
}

function notAllowed(): ApprovalError {
  return new ApprovalError("not-allowed", "an approver or the owner decides this");
}

function decided(
  approval: ApprovalId,
  decision: ActionOf<"approval.decided">["decision"],
  scope: ApprovalScope,
  answer: Answering | null,
): ActionOf<"approval.decided"> {
  return { kind: "approval.decided", approval, decision, scope, by: answer?.by ?? null, via: answer?.via ?? null };
}

/** One action as it is; several as one JSON array of them. */
function joined(actions: readonly Uint8Array[]): Uint8Array {
  const [only] = actions;
  if (actions.length === 1 && only !== undefined) return only;
  const text = actions.map((bytes) => new TextDecoder().decode(bytes));
  return new TextEncoder().encode(`[${text.join(",")}]`);
}
