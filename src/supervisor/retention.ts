import { DAEMON } from "../../audit/content.ts";
import { AuditError } from "../../audit/error.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { StoredPart } from "../../audit/removal.ts";
import type { RetentionConfig } from "../config/schema.ts";
import { mint } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { type Erasure, type ErasureSteps, forgetFormerKeys } from "./erasure.ts";
import type { Holds } from "./holds.ts";
import { summariesOf } from "./derived-summaries.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";

const DAY_MS = 24 * 3_600_000;
/** It is looked whether retention is due so often, in milliseconds; the first time when a start has settled. */
const LOOK_MS = 10 * 60_000;
const FIRST_MS = 30_000;
/** Room that pruning made is seen by the log within so many looks. */
const ROOM_TRIES = 4;
const ROOM_EVERY_MS = 1_100;
/** The hour of the night, by the local clock. */
const NIGHT = 3;
/** A larger file is not written anew while the daemon answers its channels, in bytes. */
const COMPACT_BYTES = 64 * 1024 * 1024;

/** Content that stays while its row does: who is who, and what was in force. It is nobody's conversation. */
const STAYS: readonly string[] = [
  "person.",
  "identity.",
  "conversation.",
  "policy.",
  "agent.",
  "config.",
  "log.",
  "hold.",
  "content.",
  "finding.",
  "anchor.",
  "folder.",
  "instructions.",
  "memory.",
  "incident.",
  "skill.trusted",
  "skill.installed",
];

/** Content that has a time of its own. */
const OWN: Readonly<Record<"undo" | "memory", (part: StoredPart) => boolean>> = {
  undo: ({ kind, part }) => kind === "undo.kept" || (kind === "tool.called" && part === "before"),
  memory: ({ kind }) => kind === "memory.written",
};

export interface RetentionParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly holds: Holds;
  readonly erasure: Pick<Erasure, "end">;
  readonly steps: ErasureSteps;
  readonly hasKey: (scope: string) => boolean;
  readonly days: () => RetentionConfig;
  /** The owner, who configured it. */
  readonly owner: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly line: (role: string, line: string) => void;
}

/** What is to go: pieces, scopes whose keys opened them and others, scopes that go whole, and how many of those are sessions. */
interface Taking {
  readonly ids: readonly number[];
  readonly opened: ReadonlySet<string>;
  readonly ended: readonly string[];
  readonly sessions: number;
}

interface Taken {
  readonly removed: number;
  readonly held: number;
}

/** Takes out what is older than it may become: every night, soon after a start when a night was missed, and on command. One run at a time. */
export class Retention {
  readonly #parts: RetentionParts;
  #running: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
  }

  /** Begins to look whether it is due. */
  start(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#look();
      this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    }, FIRST_MS).unref();
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    await this.#running.catch(() => undefined);
  }

  #look(): void {
    void this.applyIfDue().catch((error: unknown) =>
      this.#parts.line("retention", `not applied: ${error instanceof Error ? error.message : String(error)}`),
    );
  }

  /** @returns whether it was. */
  async applyIfDue(): Promise<boolean> {
    const { log, now } = this.#parts;
    const [last] = await log.search({ kind: "retention.applied", limit: 1 });
    if (last !== undefined && now() < nightAfter(Date.parse(last.at))) return false;
    await this.apply();
    return true;
  }

  /** Applies what is configured, store by store. */
  apply(): Promise<void> {
    return this.#one(async () => {
      const { days, now, owner, log } = this.#parts;
      const { content, rows, undo, memory } = days();
      const who: By = { by: owner(), via: "retention" };
      const before = (given: number): string => new Date(now() - given * DAY_MS).toISOString();
      // Always a row for content, so that a missed night is seen; a year of nights is 365 rows.
      const at = before(content ?? 36_500);
      const taken = content === null ? { removed: 0, held: 0 } : await this.#content(at, who);
      await log.append({ kind: "retention.applied", store: "content", before: at, ...taken }, { cause: null });
      for (const [store, given] of [
        ["undo", undo],
        ["memory", memory],
      ] as const) {
        if (given === null) continue;
        const since = before(given);
        const gone = await this.#store(OWN[store], since, who);
        // A night in which nothing of it was old enough is no row: most stores are empty most of the time.
        if (gone.removed + gone.held > 0)
          await log.append({ kind: "retention.applied", store, before: since, ...gone }, { cause: null });
      }
      if (rows === null) return;
      const { removed, held } = await this.#rows(before(rows), who);
      await log.append(
        { kind: "retention.applied", store: "rows", before: before(rows), removed, held },
        { cause: null },
      );
    });
  }

  /** Content and bodies of all rows before a time go. @throws {OperatorError} for a time to come. */
  prune(before: string, who: By): Promise<AnswerTo<"audit.prune">> {
    if (Date.parse(before) > this.#parts.now())
      throw new OperatorError("usage", "what is to come cannot be pruned", "give a day that is over with --before");
    return this.#one(async () => {
      const { log } = this.#parts;
      // What lies before the checkpoint before the newest may go: with one more, that is all but the last minutes.
      if (log.stopped === null) await log.checkpoint("demand");
      // Rows first: on a full disk they are what may still be taken out, and they make the room for the rest.
      const { removed: rows, held, from } = await this.#rows(before, who);
      const compacted = log.removal.compact(COMPACT_BYTES);
      const parts = await this.#contentWithRoom(before, who);
      return { rows, held, parts, from, compacted };
    });
  }

  /** After a full disk the log looks for room once a second. @returns how much went; 0 where there still is none. */
  async #contentWithRoom(before: string, who: By): Promise<number> {
    for (let tries = 1; ; tries++) {
      try {
        return (await this.#content(before, who)).removed;
      } catch (error) {
        if (!(error instanceof AuditError) || error.code !== "AUDIT_UNWRITABLE") throw error;
        if (tries === ROOM_TRIES) return 0;
        await new Promise((resolve) => {
          setTimeout(resolve, ROOM_EVERY_MS);
        });
      }
    }
  }

  #one<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#running.then(run, run);
    this.#running = done.catch(() => undefined);
    return done;
  }

  async #rows(at: string, who: By): Promise<Taken & { from: number }> {
    const { log, holds } = this.#parts;
    const exempt = holds.exempt();
    const { rows, held, before } = await log.removal.prune({
      before: log.removal.firstAt(at),
      held: (head, body) => exempt.row(head, body),
      cause: null,
      ...who,
    });
    await log.removal.truncate();
    return { removed: rows, held, from: before };
  }

  /** What has a time of its own goes part by part; what else its keys opened is sealed under others. */
  async #store(is: (part: StoredPart) => boolean, at: string, who: By): Promise<Taken> {
    const { log, holds, steps } = this.#parts;
    const exempt = holds.exempt();
    const ids: number[] = [];
    const opened = new Set<string>();
    let held = 0;
    for await (const page of steps.removal.parts(0, log.removal.firstAt(at))) {
      for (const part of page) {
        if (!is(part)) continue;
        if (exempt.part(part)) {
          held += 1;
          continue;
        }
        ids.push(part.id);
        if (part.scope !== DAEMON) opened.add(part.scope);
      }
    }
    return { removed: await this.#take({ ids, opened, ended: [], sessions: 0 }, who), held };
  }

  /** Sessions that have been quiet since end with their keys; of the others what is older goes, and what stays is sealed under another key. */
  async #content(at: string, who: By): Promise<Taken> {
    const { log, state, holds, erasure, steps, hasKey } = this.#parts;
    const exempt = holds.exempt();
    const sessions = state.quietSince(at).filter((session) => hasKey(session) && !exempt.session(session));
    const strangers = await this.#strangers();
    const ids: number[] = [];
    const opened = new Set<string>();
    const gone = { rows: new Set<number>(), conversations: [] as string[], scopes: new Set<string>() };
    /** The oldest row that goes of each scope. */
    const oldest = new Map<string, number>();
    let held = 0;
    for await (const page of steps.removal.parts(0, log.removal.firstAt(at))) {
      for (const part of page) {
        const stranger = strangers.has(part.scope);
        if (!stranger && stays(part)) continue;
        if (exempt.part(part)) {
          held += 1;
          continue;
        }
        ids.push(part.id);
        if (!oldest.has(part.scope)) oldest.set(part.scope, part.seq);
        // The daemon's own key seals the projection too: with another one every night, all of that would be written anew.
        if (part.scope !== DAEMON) opened.add(part.scope);
        if (!stranger) continue;
        gone.scopes.add(part.scope);
        gone.rows.add(part.seq);
        const action = part.kind === "conversation.opened" ? log.row(part.seq)?.action : undefined;
        if (action?.kind === "conversation.opened") gone.conversations.push(action.conversation);
      }
    }
    const derived = await this.#summaries(oldest, log.removal.firstAt(at), new Set(sessions), (part) =>
      exempt.part(part),
    );
    ids.push(...derived.ids);
    held += derived.held;
    const ended = [...sessions, ...[...gone.scopes].filter((scope) => hasKey(scope))];
    for (const session of sessions) await erasure.end(session, who);
    const removed = await this.#take({ ids, opened, ended, sessions: sessions.length }, who, () => {
      if (gone.rows.size > 0) steps.state.forgetRows([...gone.rows], gone.conversations);
    });
    if (gone.rows.size > 0) steps.state.compact();
    return { removed, held };
  }

  /** A summary is as old as the oldest that it was made of: it goes with that. @param before what is older goes already. @param whole sessions that go whole. */
  async #summaries(
    oldest: ReadonlyMap<string, number>,
    before: number,
    whole: ReadonlySet<string>,
    isHeld: (part: StoredPart) => boolean,
  ): Promise<{ ids: number[]; held: number }> {
    const { log, steps, state } = this.#parts;
    const rows = new Set<number>();
    for (const [scope, source] of oldest)
      if (!whole.has(scope) && state.session(scope) !== null)
        for (const seq of await summariesOf(log, scope, source, before)) rows.add(seq);
    const ids: number[] = [];
    let held = 0;
    if (rows.size === 0) return { ids, held };
    for await (const page of steps.removal.parts(before, log.size)) {
      for (const part of page) {
        if (!rows.has(part.seq)) continue;
        if (isHeld(part)) held += 1;
        else ids.push(part.id);
      }
    }
    return { ids, held };
  }

  /** Takes content out, on the record. Whose key opened what goes and opens what stays gets another one: the former would still open a copy of what went.
   *  What a crash left of an earlier time is taken up too. @param told beside it, once no key opens it. @returns pieces that went. */
  async #take({ ids, opened, ended, sessions }: Taking, who: By, told: () => void = () => undefined): Promise<number> {
    const { log, steps } = this.#parts;
    if (ended.length === 0 && ids.length === 0 && steps.renewing().length === 0) return 0;
    const fields = { erasure: mint("erasure"), session: null, principal: null, sessions, ...who };
    const intent = await log.record<"content.erasing">(
      { kind: "content.erasing", subject: "retention", ...fields },
      { cause: null },
    );
    intent.redeem();
    try {
      for (const scope of ended) await steps.destroyKey(scope, intent.seq);
      for (const scope of opened) await steps.renewKey(scope, intent.seq);
      told();
      const parts = await steps.removal.delete(ids);
      const renewing = new Set(steps.renewing());
      if (renewing.size > 0) await steps.removal.reseal(renewing);
      await steps.removal.truncate();
      await forgetFormerKeys(steps, log, renewing, intent.seq);
      await intent.finish<"content.erased">({ kind: "content.erased", sessions, parts, files: 0 });
      return parts;
    } catch (error) {
      await intent.fail(error).catch(() => undefined);
      throw error;
    }
  }

  /** Scopes of those who asked to be let in and were not. */
  async #strangers(): Promise<Set<string>> {
    const { log } = this.#parts;
    const asked = new Set<string>();
    for (let after = -1; ; ) {
      const rows = await log.search({ kind: "pair.", after, limit: 1_000 });
      for (const { action } of rows) {
        if (action.kind === "pair.requested") asked.add(action.pairing);
        if (action.kind === "pair.approved") asked.delete(action.pairing);
      }
      const last = rows.at(-1);
      if (last === undefined || rows.length < 1_000) return asked;
      after = last.seq;
    }
  }
}

function stays({ kind }: StoredPart): boolean {
  return kind !== null && STAYS.some((family) => kind.startsWith(family));
}

/** The first night after a time, in milliseconds since 1970. */
export function nightAfter(time: number): number {
  const night = new Date(time);
  night.setHours(NIGHT, 0, 0, 0);
  if (night.getTime() <= time) night.setDate(night.getDate() + 1);
  return night.getTime();
}
