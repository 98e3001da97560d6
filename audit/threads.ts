import type Database from "better-sqlite3";
import type { Worker } from "node:worker_threads";
import { BODY, FRONTIER, NOTE } from "./bounded.ts";
import { Findings } from "./findings.ts";
import { NoteCheck } from "./note-check.ts";
import type { Border, Span, SpanFound } from "./span.ts";

/** Rows a span has at least. More cost time where one thread is slower than another, fewer where each opens the file. */
const SPAN_ROWS = 50_000;
/** Spans that are worth a second thread. */
const MIN_SPANS = 2;

/** What a thread may take. Its young generation need not grow: a page of rows is garbage as soon as it was looked at. */
export const THREAD_LIMITS = { maxYoungGenerationSizeMb: 6, maxOldGenerationSizeMb: 512 } as const;

/** How spans are checked beside each other. */
export interface Threads {
  readonly count: number;
  /** Rows that a span has at least; {@link SPAN_ROWS} if left out. */
  readonly rows?: number;
  /** Starts a thread that runs `span-thread.ts` for the log at this path. */
  readonly start: (path: string) => Worker;
}

export interface Work {
  readonly path: string;
  readonly spans: readonly Span[];
}

/** Divides a log at checkpoints.
 *  @param last its last row. @param rows that a span has at least. @returns null where it is not worth it, or something is wrong at first sight. */
export function planSpans(
  database: Database.Database,
  last: number,
  checks: Pick<Span, "wanted" | "deep" | "now">,
  rows = SPAN_ROWS,
): Span[] | null {
  const bodyAt = database.prepare<[number]>(`SELECT ${BODY} FROM entry NOT INDEXED WHERE seq = ?`).pluck();
  const textAt = (seq: number): string => {
    const body: unknown = bodyAt.get(seq);
    return typeof body === "string" ? body : "";
  };
  // Only to know which keys there are at each border: the spans look at all of it again.
  const notes = new NoteCheck(new Findings());
  notes.open(textAt(0));
  const spans: Span[] = [];
  let [from, epochs]: [number, Span["epochs"]] = [0, []];
  const stored = database
    .prepare<[number]>(
      `SELECT size, ${NOTE}, ${FRONTIER} FROM checkpoint NOT INDEXED WHERE size > 0 AND size <= ? ORDER BY size`,
    )
    .raw();
  for (const row of stored.iterate(last + 1)) {
    const [size, note, frontier]: unknown[] = Array.isArray(row) ? row : [];
    if (typeof size !== "number" || typeof note !== "string" || typeof frontier !== "string") return null;
    // Two signatures: a new key.
    if (note.split("\n\u2014 ").length > 2) notes.stored(size, "key.rotated", textAt(size - 1), note, frontier);
    if (size - from < rows) continue;
    const to = size;
    spans.push({ ...checks, from, to, epochs, wanted: checks.wanted.filter((one) => one > from && one <= to) });
    [from, epochs] = [to, notes.named];
  }
  return spans.length < MIN_SPANS ? null : spans;
}

/** @returns what each span says, or null if one of them is not good: whatever the reason, one thread then looks. */
export async function checkInThreads(
  { path, spans }: Work,
  { count, start }: Threads,
  progress: (rows: number) => void,
): Promise<readonly SpanFound[] | null> {
  const queue = [...spans.entries()];
  const found: SpanFound[] = [];
  let rows = 0;
  const run = async (): Promise<void> => {
    const worker = start(path);
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const [index, span] = next;
        const answer = await asked(worker, span);
        if (answer === null) queue.length = 0;
        else {
          found[index] = answer;
          progress((rows += span.to - span.from));
        }
      }
    } finally {
      await worker.terminate();
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(count, spans.length) }, run));
  const all = ended.every(({ status }) => status === "fulfilled") && spans.every((_, index) => index in found);
  return all ? found : null;
}

/** @returns null if the span is not good, or the thread ended without an answer. */
async function asked(worker: Worker, span: Span): Promise<SpanFound | null> {
  const answered = Promise.withResolvers<SpanFound | null>();
  const ended = (): void => answered.resolve(null);
  worker.once("message", answered.resolve).once("error", ended).once("exit", ended);
  // A thread has no origin.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  worker.postMessage(span);
  try {
    return await answered.promise;
  } finally {
    worker.off("message", answered.resolve).off("error", ended).off("exit", ended);
  }
}

/** Does each span begin as the one before ended? */
export function join(spans: readonly SpanFound[]): boolean {
  let end: Border | null = null;
  for (const span of spans) {
    if (JSON.stringify(span.begin) !== JSON.stringify(end)) return false;
    end = span.end;
  }
  return true;
}
