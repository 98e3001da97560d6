import type { AuditLog, FactOf } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import type { ActionOf } from "../../audit/action.ts";
import { digestOf } from "../effect/action.ts";
import type { Channel } from "../ipc/channel.ts";
import { ApprovalId, mint } from "../ipc/ids.ts";
import type { ApprovalScope, Role } from "../ipc/operator.ts";
import { ApprovalError } from "./approval-error.ts";
import { renderCard } from "./card.ts";
import type { Grants } from "./grants.ts";
import type { ActionKey } from "./keys.ts";
import { decidedElsewhere, isLocal, mayDecide, newCode, type PendingApproval } from "./pending.ts";
import type { TurnContext } from "./turn.ts";

/** How long a card waits for its answer. */
export const EXPIRES_MS = 5 * 60_000;
/** Calls of one model answer that come within this time are one card. Against the time a person takes to read it is nothing. */
const GATHER_MS = 25;
/** Cards that are over are remembered, so that a late press gets its sentence. */
const MAX_CLOSED = 1000;

/** What the broker wants approved. */
export interface ApprovalRequest {
  readonly turn: TurnContext;
  /** The completion that the call came from. */
  readonly group: number;
  /** The row that led to it. */
  readonly cause: number;
  readonly keys: readonly [ActionKey, ...ActionKey[]];
  readonly tier: number;
  readonly scopes: readonly ApprovalScope[];
  /** The keys that an approval for longer than once is remembered for. */
  readonly remembers: readonly ActionKey[];
  readonly reason: string;
  /** The very bytes that are to run. */
  readonly action: Uint8Array;
}

export type Verdict =
  /** `covers`: SHA-256 of the bytes that were approved. */
  | { readonly state: "approved"; readonly rests: number; readonly covers: string }
  | { readonly state: "denied"; readonly reason: string | null }
  | { readonly state: "expired" | "withdrawn" };

/** The supervisor's part: cards go out, and are closed. */
export interface ApprovalPorts {
  /** Shows a card wherever it may be decided beside the terminal and the page, and there to whoever watches.
   *  @param sentTo to be called with a channel before the card leaves for it: a press that comes back is then none of a stranger. */
  show(pending: PendingApproval, sentTo: (channel: Channel) => void): Promise<void>;
  closed(pending: PendingApproval, state: "approved" | "denied" | "expired", sentence: string): void;
  /** Somebody pressed on a channel that the card was never sent to: to be recorded as a refused message. */
  foreignPress(via: Channel, by: string): void;
}

/** An answer to a card. */
export interface Answering {
  readonly by: string;
  readonly role: Role;
  /** The channel that the answer came on: a property of its pipe. */
  readonly via: Channel;
  readonly decision: "approve" | "deny";
  readonly scope: ApprovalScope;
  /** SHA-256 of the card that the person saw; null where the press itself belongs to the card (a button or a typed code). */
  readonly card: string | null;
  readonly reason: string | null;
}

interface Batch {
  readonly requests: {
    readonly request: ApprovalRequest;
    readonly settle: (verdict: Verdict) => void;
    readonly fail: (cause: unknown) => void;
  }[];
}

interface Open {
  readonly pending: PendingApproval;
  readonly batch: Batch;
  /** Where the card was sent. */
  readonly shown: Set<Channel>;
  readonly timer: NodeJS.Timeout;
}

interface Closed {
  readonly code: string;
  readonly state: "approved" | "denied" | "expired";
  /** Where the card was sent; null: before a restart, nobody knows any more. */
  readonly shown: ReadonlySet<Channel> | null;
}

/** The cards that wait, and the answers to them. */
export class Approvals {
  readonly #log: Pick<AuditLog, "append" | "row">;
  readonly #clock: Clock;
  readonly #grants: Grants;
  readonly #ports: ApprovalPorts;
  readonly #gathering = new Map<string, Batch>();
  readonly #open = new Map<string, Open>();
  /** How those that are over ended, oldest first. */
  readonly #closed = new Map<string, Closed>();

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
      this.#remember(action.approval, { code: "", state: "expired", shown: null });
      expired += 1;
    }
    return expired;
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

  /** Asks, and waits for the answer. Same-kind calls of one model answer are one card.
   *  @throws {AuditError} if the question could not be recorded: nobody was asked. */
  request(request: ApprovalRequest): Promise<Verdict> {
    return new Promise((settle, fail) => {
      const { keys, remembers, scopes } = request;
      const kind = [keys, remembers, scopes].map((all) => all.join(" ")).join("/");
      const key = `${request.turn.turn}/${request.group}/${kind}/${request.tier}`;
      const gathering = this.#gathering.get(key);
      if (gathering !== undefined) {
        gathering.requests.push({ request, settle, fail });
        return;
      }
      const batch: Batch = { requests: [{ request, settle, fail }] };
      this.#gathering.set(key, batch);
      setTimeout(() => {
        this.#gathering.delete(key);
        this.#ask(batch).catch((cause: unknown) => {
          for (const one of batch.requests) one.fail(cause);
        });
      }, GATHER_MS);
    });
  }

  async #ask(batch: Batch): Promise<void> {
    const first = batch.requests[0]?.request;
    if (first === undefined) return;
    const { turn, keys, tier, scopes, remembers } = first;
    if (turn.signal.aborted) {
      for (const { settle } of batch.requests) settle({ state: "withdrawn" });
      return;
    }
    const approval = mint("approval");
    const now = this.#clock.now();
    const expires = new Date(now + EXPIRES_MS).toISOString();
    const actions = batch.requests.map(({ request }) => request.action.slice());
    const card = renderCard({
      requester: turn.requester,
      agent: turn.agent,
      channel: turn.channel,
      tier,
      reason: first.reason,
      expires,
      actions,
    });
    const row = await this.#log.append(
      {
        kind: "approval.requested",
        approval,
        turn: turn.turn,
        session: turn.session,
        agent: turn.agent,
        principal: turn.principal,
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
      card,
    };
    const timer = setTimeout(() => void this.#expire(approval, "expired"), EXPIRES_MS);
    timer.unref();
    const open: Open = { pending, batch, shown: new Set(), timer };
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
  async decide(
    approval: string,
    answer: Answering,
  ): Promise<{ state: "approved" | "denied" | "expired" | "gone"; sentence: string }> {
    const open = this.#open.get(approval);
    if (open === undefined) return this.#late(approval, answer);
    const { pending } = open;
    this.#mustBeShownAt(open.shown, answer);
    if (answer.decision === "deny") {
      // Whoever asked may take it back; everybody else who denies decides.
      if (!mayDecide(answer.role) && answer.by !== pending.turn.principal) throw notAllowed();
      await this.#end(open, "denied", answer, "denied");
      return { state: "denied", sentence: "denied: nothing ran" };
    }
    if (!mayDecide(answer.role)) throw notAllowed();
    const elsewhere = decidedElsewhere(pending, answer.via);
    if (elsewhere !== null) throw new ApprovalError("elsewhere", elsewhere);
    if (answer.card !== null && answer.card !== pending.card.digest) {
      throw new ApprovalError(
        "other-card",
        "this is not the request that you were shown: look at it again (wirken approvals show)",
      );
    }
    if (!pending.scopes.includes(answer.scope)) {
      throw new ApprovalError("scope", `this can be approved ${pending.scopes.join(" or ")} only`);
    }
    if (Date.parse(pending.expires) <= this.#clock.now()) {
      await this.#expire(approval, "expired");
      return this.#late(approval, answer);
    }
    await this.#approve(open, answer);
    return { state: "approved", sentence: "approved" };
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
      const appended = await this.#log.append(decided(pending.approval, "approved", answer.scope, answer), {
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
        const given = { by: answer.by, via: answer.via, cause: row };
        for (const key of pending.remembers) await this.#grants.give(pending.turn, key, answer.scope, given);
      }
    } finally {
      // On the record it is approved, whether or not it can be remembered too.
      this.#close(open, "approved", "approved");
      for (const { request, settle } of batch.requests) {
        settle({ state: "approved", rests: row, covers: digestOf(request.action) });
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
    this.#close(open, state === "denied" ? "denied" : "expired", sentence);
    for (const { settle } of open.batch.requests) {
      settle(state === "denied" ? { state, reason: answer?.reason ?? null } : { state });
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

  async #expire(approval: string, state: "expired" | "withdrawn"): Promise<void> {
    const open = this.#open.get(approval);
    if (open === undefined) return;
    const sentence =
      state === "expired"
        ? "expired: nobody answered in time, and nothing ran"
        : "withdrawn: the turn was ended, and nothing ran";
    try {
      await this.#end(open, state, null, sentence);
    } catch {
      // The log tells of its own failures. The card is closed, nothing ran, and a start finds the open question and expires it on the record.
    }
  }

  #close(open: Open, state: "approved" | "denied" | "expired", sentence: string): void {
    clearTimeout(open.timer);
    this.#remember(open.pending.approval, { code: open.pending.code, state, shown: open.shown });
    this.#ports.closed(open.pending, state, sentence);
  }

  #remember(approval: string, closed: Closed): void {
    this.#closed.set(approval, closed);
    const oldest = this.#closed.keys().next();
    if (this.#closed.size > MAX_CLOSED && oldest.done !== true) this.#closed.delete(oldest.value);
  }

  /** The answer to a press on a card that is over. @param approval or the code that was typed. */
  #late(approval: string, answer: Answering): { state: "approved" | "denied" | "expired" | "gone"; sentence: string } {
    const found =
      this.#closed.get(approval) ?? [...this.#closed.values()].find(({ code }) => code === approval.toUpperCase());
    this.#mustBeShownAt(found?.shown ?? null, answer);
    switch (found?.state) {
      case undefined:
        return { state: "gone", sentence: "there is no such request: it may be from before a restart; ask again" };
      case "expired":
        return { state: "expired", sentence: "expired: ask again" };
      case "approved":
      case "denied":
        return { state: found.state, sentence: `this was ${found.state} already` };
    }
  }

  #freshCode(): string {
    for (;;) {
      const code = newCode();
      if (this.byCode(code) === null) return code;
    }
  }
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
