import { DAEMON } from "../../audit/content.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { Removal, StoredPart } from "../../audit/removal.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { ContentKeys } from "./content-keys.ts";
import { ErasurePlan, type ErasureTarget } from "./erasure-plan.ts";
import { type Holds, sentenceOf } from "./holds.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";
import { unreachable } from "./unreachable.ts";

const TRUNCATE_MS = 10_000;
const TRUNCATE_EVERY_MS = 50;

/** The steps of an erasure, in their order; each can be made again. */
export interface ErasureSteps extends ContentKeys {
  readonly removal: Pick<Removal, "parts" | "delete" | "reseal" | "truncate">;
  readonly state: Pick<State, "forgetRows" | "forgetPerson" | "reseal" | "compact">;
}

export interface ErasureParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly holds: Holds;
  readonly steps: ErasureSteps;
  /** Ends what runs and waits in a session, and the process that has it in memory. */
  readonly endSession: (session: string, who: By) => Promise<void>;
}

export interface Erased {
  readonly sessions: number;
  readonly parts: number;
  readonly files: number;
  /** Parts of others, which shared a key with what was erased. */
  readonly resealed: number;
}

/** Erases what was said, and who somebody is, from everything of ours. Rows stay as they are: they hold commitments, and nothing opens those any more. */
export class Erasure {
  readonly #parts: ErasureParts;
  #running: Promise<unknown> = Promise.resolve();

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} `refused` if a hold exempts any of it: nothing was done then. */
  erase(target: ErasureTarget, reason: string, who: By): Promise<AnswerTo<"audit.erase">> {
    // One at a time: what one seals anew may be what the next takes out.
    const done = this.#running.then(async () => await this.#erase(target, reason, who));
    this.#running = done.catch(() => undefined);
    return done;
  }

  async #erase(target: ErasureTarget, reason: string, who: By): Promise<AnswerTo<"audit.erase">> {
    const { log, state, holds } = this.#parts;
    await this.#known(target);
    const principal = "principal" in target ? target.principal : null;
    const touched = "session" in target ? [target.session] : state.sessionsOf(target.principal);
    const hold = holds.over(touched, principal);
    if (hold !== null)
      throw new OperatorError(
        "refused",
        `nothing was erased: hold ${hold.hold} exempts ${sentenceOf(hold.target)}`,
        `it says: ${hold.reason}; lift it with wirken audit hold remove ${hold.hold}`,
      );
    for (const session of touched) await this.end(session, who);
    // What a session that goes on for others holds of them is in the memory of its process until here.
    const plan = await ErasurePlan.of(target, log, state);
    const beyond = await unreachable(log, state, touched);
    const intent = await log.record<"content.erasing">(
      {
        kind: "content.erasing",
        erasure: mint("erasure"),
        subject: principal === null ? "session" : "principal",
        session: "session" in target ? target.session : null,
        principal,
        sessions: plan.sessions.length,
        ...who,
      },
      { cause: null, content: { reason } },
    );
    intent.redeem();
    try {
      const erased = await this.#make(plan, principal, intent.seq);
      const row = await intent.finish<"content.erased">({ kind: "content.erased", ...erased });
      return { ...erased, row: row.seq, ...beyond };
    } catch (error) {
      await intent.fail(error).catch(() => undefined);
      throw new OperatorError(
        "not-ready",
        `the erasure is not complete: ${error instanceof Error ? error.message : String(error)}`,
        "run the same command again: what is erased already stays erased",
        { cause: error },
      );
    }
  }

  async #known(target: ErasureTarget): Promise<void> {
    const { log, state } = this.#parts;
    if ("session" in target) {
      if (state.session(target.session) !== null) return;
      throw new OperatorError("not-found", `there is no session ${target.session}`, "wirken audit log names them");
    }
    const { principal } = target;
    if (state.isKnown(principal)) return;
    if ((await log.search({ kind: "person.added", principal, limit: 1 })).length > 0) return;
    throw new OperatorError("not-found", `nobody has the id ${principal}`, "run wirken pair list to see the people");
  }

  /** Ends a session, so that nothing is sealed under its key any more. */
  async end(session: string, who: By): Promise<void> {
    const { log, state, endSession } = this.#parts;
    // First this: what is written from here on begins another session.
    if (state.isOpen(session))
      await log.append({ kind: "session.closed", session, reason: "new" }, { cause: null, seal: session });
    await endSession(session, who);
  }

  /** At a start, before what a crash left open is ended: an erasure that was begun is completed. @returns how many were. */
  async complete(): Promise<number> {
    const { log, state } = this.#parts;
    let completed = 0;
    for (const { seq, action } of log.left("content.erasing")) {
      if (action.kind !== "content.erasing") continue;
      const { session, principal } = action;
      const target = session !== null ? { session } : principal !== null ? { principal } : null;
      // What retention had begun it begins again.
      if (target === null) continue;
      const erased = await this.#make(await ErasurePlan.of(target, log, state), principal, seq);
      await log.append({ kind: "content.erased", ...erased }, { cause: seq });
      completed += 1;
    }
    return completed;
  }

  /** The steps, in the order in which each makes what lies behind it unreadable first, and none takes what a start after a crash finds the rest by. */
  async #make(plan: ErasurePlan, principal: string | null, cause: number): Promise<Erased> {
    const { log, steps } = this.#parts;
    const { ids, telling, rows, conversations, shared } = await this.#found(plan);
    for (const scope of plan.scopes) if (scope !== principal) await steps.destroyKey(scope, cause);
    // Before the content goes: after a crash only a second key says that the first still opens what was erased.
    for (const scope of shared) await steps.renewKey(scope, cause);
    // Before the content goes: after a crash only it says which conversations these are.
    steps.state.forgetRows(rows, conversations);
    let parts = await steps.removal.delete(ids);
    if (principal !== null) await steps.destroyKey(principal, cause);
    parts += await steps.removal.delete(telling);
    const renewing = new Set(steps.renewing());
    const resealed = renewing.size === 0 ? 0 : await steps.removal.reseal(renewing);
    await steps.removal.truncate();
    await forgetFormerKeys(steps, log, renewing, cause);
    if (principal !== null) steps.state.forgetPerson(principal);
    await compacted(steps.state);
    return { sessions: plan.sessions.length, parts, files: 0, resealed };
  }

  /** @returns also the scopes whose keys opened what goes, and open what stays. */
  async #found(plan: ErasurePlan): Promise<Found> {
    const { log, steps } = this.#parts;
    const shared = new Set(plan.shared);
    const ids: number[] = [];
    const telling: number[] = [];
    const rows = new Set<number>();
    const conversations: string[] = [];
    const take = (part: StoredPart): void => {
      if (!plan.owns(part)) return;
      (plan.tells(part) ? telling : ids).push(part.id);
      rows.add(part.seq);
      if (!plan.scopes.has(part.scope)) shared.add(part.scope);
      const conversation = plan.conversationOf(part);
      if (conversation !== null) conversations.push(conversation);
    };
    for await (const page of steps.removal.parts(plan.from, log.size)) page.forEach(take);
    return { ids, telling, rows: [...rows], conversations, shared };
  }
}

/** What an erasure takes out, as it lies in the log and its projection. */
interface Found {
  readonly ids: readonly number[];
  /** Parts that the others are found by. */
  readonly telling: readonly number[];
  readonly rows: readonly number[];
  readonly conversations: readonly string[];
  readonly shared: ReadonlySet<string>;
}

/** Destroys the former keys of these scopes: what stays of them is sealed under their newest by now. */
export async function forgetFormerKeys(
  steps: ErasureSteps,
  log: Pick<AuditLog, "row">,
  scopes: ReadonlySet<string>,
  cause: number,
): Promise<void> {
  // What seals the projection comes of the daemon's key: while the former one is there, it opens what is to be sealed anew.
  if (scopes.has(DAEMON)) steps.state.reseal(steps.projectionSeal(), log);
  for (const scope of scopes) await steps.forgetKeys(scope, cause);
}

/** @throws {OperatorError} while another program reads the projection. */
async function compacted(state: Pick<State, "compact">): Promise<void> {
  for (const until = performance.now() + TRUNCATE_MS; !state.compact(); ) {
    if (performance.now() > until)
      throw new OperatorError(
        "not-ready",
        "another program reads state.db and keeps what was erased in its write-ahead log",
      );
    await new Promise((resolve) => {
      setTimeout(resolve, TRUNCATE_EVERY_MS);
    });
  }
}
