import { setTimeout as delay } from "node:timers/promises";
import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { type Verdict, verifySteps } from "../../audit/verify.ts";
import type { Findings, OpenFinding } from "./findings.ts";

/** How often a log in which nothing happens looks for a foreign writer; every row that is recorded looks for itself. */
const LOOK_MS = 1_000;
/** After a start the channels come first. */
const FIRST_MS = 60_000;
/** From the end of one pass to the next. */
const AGAIN_MS = 24 * 3_600_000;
/** Between two pages of a thousand rows, in milliseconds: a pass takes a few per cent of one processor. */
const PAUSE_MS = 40;
/** So many rows since the last page are load: the pass waits until it is over. */
const LOAD_ROWS = 16;
const LOAD_PAUSE_MS = 500;
/** A pass is recorded at most so often. */
const RECORD_MS = 24 * 3_600_000;
/** Rows of findings read at once. */
const PAGE = 1_000;

export interface ContinuousParts {
  readonly log: AuditLog;
  readonly path: string;
  readonly findings: Findings;
  readonly line: (sentence: string) => void;
  /** A finding that is told and stops nothing: an anchor that has not answered yet, or says without a signature what it holds. */
  readonly waits: (finding: Pick<OpenFinding, "code" | "seq">) => boolean;
  readonly now: () => number;
  /** Milliseconds before the first pass; {@link FIRST_MS} if not given. */
  readonly firstMs?: number;
}

/** Verifies the log while it is written: a foreign writer is looked for before every row and every second, and the whole log is read again and again,
 *  gently. Each page is a short transaction of its own, so nobody waits for a pass, and the write-ahead log can be truncated in between. */
export class ContinuousVerification {
  readonly #parts: ContinuousParts;
  readonly #closed = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #hurry = Promise.withResolvers<void>();
  #hurried = false;
  #running: Promise<void> | null = null;

  constructor(parts: ContinuousParts) {
    this.#parts = parts;
    this.#timer = setInterval(() => parts.log.look(), LOOK_MS).unref();
  }

  start(): void {
    this.#running ??= this.#run().catch((error: unknown) => {
      if (!this.#closed.signal.aborted)
        this.#parts.line(
          `the log is not verified in the background any more: ${error instanceof Error ? error.message : String(error)}`,
        );
    });
  }

  /** Somebody else has written: all of it is verified now, without pauses. */
  hurry(): void {
    this.#hurried = true;
    this.#hurry.resolve();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#closed.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    await this.#learn();
    await this.#wait(this.#parts.firstMs ?? FIRST_MS);
    while (!this.#closed.signal.aborted) {
      await this.pass();
      await this.#wait(AGAIN_MS);
    }
  }

  /** Resolves when it is time, when there is hurry, or when all is over. */
  async #wait(ms: number): Promise<void> {
    const timer = new AbortController();
    const over = Promise.withResolvers<void>();
    const closed = (): void => over.resolve();
    const { signal } = this.#closed;
    if (signal.aborted) return;
    signal.addEventListener("abort", closed, { once: true });
    await Promise.race([
      delay(ms, undefined, { signal: timer.signal, ref: false }).catch(() => undefined),
      this.#hurry.promise,
      over.promise,
    ]);
    timer.abort();
    signal.removeEventListener("abort", closed);
  }

  /** What earlier processes found, by the log itself: the alarm beside it may have been taken away. */
  async #learn(): Promise<void> {
    const { log, findings } = this.#parts;
    const open = new Map<number, OpenFinding>();
    let after = -1;
    for (;;) {
      const rows = await log.search({ kind: "finding.", after, limit: PAGE }, this.#closed.signal);
      for (const row of rows) takeFinding(row, open, findings);
      const last = rows.at(-1);
      if (last === undefined || rows.length < PAGE) break;
      after = last.seq;
    }
    const forgotten = [...open.values()].filter(
      (one) => !findings.open.some(({ code, seq }) => code === one.code && seq === one.seq),
    );
    if (forgotten.length > 0) await findings.raise(forgotten);
  }

  /** Reads the whole log once. What it finds it makes sure of by reading it again: what was written meanwhile is no finding. */
  async pass(): Promise<void> {
    const { findings, log, waits } = this.#parts;
    [this.#hurried, this.#hurry] = [false, Promise.withResolvers<void>()];
    const size = log.size;
    const first = await this.#verified();
    if (first === null || this.#closed.signal.aborted) return;
    const found = first.findings.filter((one) => !findings.seen(one) && !waits(one));
    if (found.length === 0) {
      await this.#record(size, first.findings.length);
      return;
    }
    this.#hurried = true;
    const again = await this.#verified();
    if (again === null) return;
    const sure = found.filter((one) => again.findings.some(({ code, seq }) => code === one.code && seq === one.seq));
    if (sure.length > 0) await findings.raise(sure.map(({ code, seq, sentence }) => ({ code, seq, sentence })));
  }

  /** @returns null when it was ended. */
  async #verified(): Promise<Verdict | null> {
    const { log, path } = this.#parts;
    const end: { verdict: Verdict | null } = { verdict: null };
    function* reading(): Generator<unknown, void> {
      end.verdict = yield* verifySteps(path, { live: true, gentle: true, vkey: log.vkey });
    }
    // A loop that is left early closes what it reads.
    for (const _ of reading()) {
      await this.#pause();
      if (this.#closed.signal.aborted) return null;
    }
    return end.verdict;
  }

  async #pause(): Promise<void> {
    const { log } = this.#parts;
    const rest = async (ms: number): Promise<void> =>
      await delay(ms, undefined, { signal: this.#closed.signal, ref: false }).catch(() => undefined);
    for (;;) {
      if (this.#hurried) {
        await rest(0);
        return;
      }
      const size = log.size;
      await rest(PAUSE_MS);
      if (log.size - size < LOAD_ROWS || this.#closed.signal.aborted) return;
      await rest(LOAD_PAUSE_MS);
    }
  }

  /** At most once a day: what is recorded every time fills the log that it vouches for. */
  async #record(size: number, findings: number): Promise<void> {
    const { log, now } = this.#parts;
    if (log.stopped !== null) return;
    const since = new Date(now() - RECORD_MS).toISOString();
    const [recent] = await log.search({ kind: "log.verified", since, limit: 1 }, this.#closed.signal);
    if (recent !== undefined || this.#closed.signal.aborted) return;
    await log.append({ kind: "log.verified", size, findings }, { cause: null }).catch(() => undefined);
  }
}

function takeFinding(row: CommittedRow, open: Map<number, OpenFinding>, findings: Findings): void {
  const { action, seq, cause } = row;
  if (action.kind === "finding.raised") {
    const sentence = `a finding of ${row.at} was never acknowledged: ${action.code}${action.at === null ? "" : ` at row ${action.at}`}`;
    open.set(seq, { code: action.code, seq: action.at, sentence });
  } else if (action.kind === "finding.acknowledged") {
    for (const [raised, finding] of open) {
      // One that names no cause is for all of its code.
      if (cause === null ? finding.code !== action.code : raised !== cause) continue;
      open.delete(raised);
      findings.remember(finding);
    }
  }
}
