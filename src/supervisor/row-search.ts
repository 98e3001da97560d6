import { AuditError } from "../../audit/error.ts";
import type { AuditLog, CommittedRow, SearchFilter } from "../../audit/log.ts";
import type { RowFilter, RowView } from "../ipc/audit-calls.ts";
import type { AnswerTo } from "../ipc/operator.ts";

/** Rows that are named as unreadable in one answer. */
const MAX_UNREAD = 100;
/** Others run after so long, in milliseconds. */
const STEP_MS = 4;
/** Rows taken at once by who follows the log. */
const FOLLOWED = 200;
/** What one answer may hold, in bytes of JSON: a frame takes a megabyte. */
const ANSWER_BYTES = 786_432;
/** Of content that is larger, a list of rows shows the beginning: characters of one part. */
const SHOWN = 16_384;
/** The same where there are many rows with much content. */
const SHOWN_OF_MANY = 1_024;

/** Without the fields that are not given: the log takes an absent one only as absent. */
function given(filter: RowFilter): SearchFilter {
  const { after, before, limit, kind, session, agent, channel, principal, tool, since, until, text } = filter;
  return {
    limit,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(kind === undefined ? {} : { kind }),
    ...(session === undefined ? {} : { session }),
    ...(agent === undefined ? {} : { agent }),
    ...(channel === undefined ? {} : { channel }),
    ...(principal === undefined ? {} : { principal }),
    ...(tool === undefined ? {} : { tool }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(text === undefined ? {} : { text }),
  };
}

/** As many rows as one answer holds. Opening content takes its time: others run in between. */
async function fitting(rows: readonly CommittedRow[]): Promise<Pick<AnswerTo<"audit.rows">, "rows" | "next">> {
  const shown: RowView[] = [];
  let bytes = 0;
  let since = performance.now();
  for (const row of rows) {
    if (performance.now() - since > STEP_MS) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      since = performance.now();
    }
    const whole = viewOf(row);
    const one = bytesOf(whole) > ANSWER_BYTES || rows.length > 1 ? smaller(whole) : whole;
    bytes += bytesOf(one);
    if (bytes > ANSWER_BYTES && shown.length > 0) return { rows: shown, next: shown.at(-1)?.seq ?? null };
    shown.push(one);
  }
  return { rows: shown, next: null };
}

function bytesOf(row: RowView): number {
  return Buffer.byteLength(JSON.stringify(row));
}

/** All of these rows in one answer: with less of their content where that would be too much. */
export function bounded(rows: readonly CommittedRow[]): RowView[] {
  const views = rows.map((row) => smaller(viewOf(row)));
  const bytes = views.reduce((sum, view) => sum + bytesOf(view), 0);
  return bytes <= ANSWER_BYTES ? views : views.map((view) => smaller(view, SHOWN_OF_MANY));
}

/** The row with the beginning of each large part of its content. */
function smaller(row: RowView, shown = SHOWN): RowView {
  const content = Object.entries(row.content).map(([part, text]) => [
    part,
    text === null ? null : beginningOf(text, shown),
  ]);
  return { ...row, content: Object.fromEntries(content) };
}

function beginningOf(text: string, shown: number): string {
  return text.length <= shown
    ? text
    : `${text.slice(0, shown).toWellFormed()}… (${text.length - shown} more characters)`;
}

/** What rows are about, without where they stand. */
export type RowsAbout = Omit<RowFilter, "limit" | "after" | "before" | "since" | "until">;

/** Rows as they are shown to the owner: as many as one answer holds. */
export async function searchRows(
  log: AuditLog,
  filter: RowFilter,
  signal: AbortSignal,
): Promise<AnswerTo<"audit.rows">> {
  const unread: number[] = [];
  const rows = await log.search(given(filter), signal, (seq) => unread.push(seq));
  return { ...(await fitting(rows)), size: log.size, unread: unread.slice(0, MAX_UNREAD) };
}

/** Gives `take` each new row that fits, in order, until the signal fires. */
export async function followRows(
  log: AuditLog,
  after: number,
  about: RowsAbout,
  take: (row: RowView) => void,
  signal: AbortSignal,
): Promise<void> {
  let last = Math.min(after, log.size - 1);
  let wake = Promise.withResolvers<void>();
  const end = log.watch(() => wake.resolve());
  const over = (): void => wake.resolve();
  signal.addEventListener("abort", over, { once: true });
  try {
    while (!signal.aborted) {
      wake = Promise.withResolvers<void>();
      const size = log.size;
      for (;;) {
        const rows = await log.search(given({ ...about, after: last, before: size, limit: FOLLOWED }), signal);
        for (const row of rows) take(smaller(viewOf(row)));
        last = rows.length < FOLLOWED ? size - 1 : (rows.at(-1)?.seq ?? size - 1);
        if (last >= size - 1 || signal.aborted) break;
      }
      if (!signal.aborted && log.size === size) await wake.promise;
    }
  } finally {
    signal.removeEventListener("abort", over);
    end();
  }
}

function contentOf(row: CommittedRow, part: string): string | null {
  try {
    return row.content(part);
  } catch (error) {
    if (error instanceof AuditError) return "[changed: this is not what the row committed to]";
    throw error;
  }
}

function viewOf(row: CommittedRow): RowView {
  const { kind, ...fields } = row.action;
  const content = Object.fromEntries(Object.keys(row.commitments).map((part) => [part, contentOf(row, part)]));
  return { seq: row.seq, at: row.at, kind, cause: row.cause, fields, content };
}
