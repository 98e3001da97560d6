import { type RowFilter, RowView } from "../ipc/audit-calls.ts";
import { CommandError, usage } from "./command-error.ts";
import type { Context } from "./context.ts";
import { EXIT, type ExitStatus } from "./exit-status.ts";
import type { OperatorPort } from "./operator-port.ts";
import { wholeNumber } from "./whole-number.ts";

/** One answer holds at most this many rows; more are asked for again and again. */
const ROWS_AN_ANSWER = 1000;
/** What is printed in one go is kept in memory before. */
export const MAX_ROWS = 100_000;

export type Asked = Omit<RowFilter, "limit">;

/** Rows that are there, under headings, and each further one under them. */
export interface RowsAsTheyCome {
  readonly lines: (rows: readonly RowView[]) => string;
  readonly line: (row: RowView) => string;
}

/** How rows are shown. */
export interface Shown extends RowsAsTheyCome {
  /** Of those that were asked for, the ones that are wanted. */
  readonly wanted: (row: RowView) => boolean;
  readonly json: boolean;
  /** Are more to come? */
  readonly follow: boolean;
}

/** How many rows are asked for. @throws {CommandError}. */
export function limitOf(text: string, more: string): number {
  const rows = wholeNumber(text, "--limit");
  if (rows < 1 || rows > MAX_ROWS) throw usage(`--limit is a number from 1 to ${MAX_ROWS}`, more);
  return rows;
}

/** Finds rows. @returns them in the order they were written. */
export async function searchRows(
  operator: OperatorPort,
  filter: Asked,
  limit: number,
  wanted: Shown["wanted"],
): Promise<{ rows: readonly RowView[]; size: number; unread: readonly number[] }> {
  const rows: RowView[] = [];
  const unread: number[] = [];
  const forward = filter.after !== undefined;
  let from = forward ? filter.after : filter.before;
  for (;;) {
    const asked = Math.min(ROWS_AN_ANSWER, limit - rows.length);
    const place = from === undefined ? {} : forward ? { after: from } : { before: from };
    const answer = await operator.call({ call: "audit.rows", filter: { ...filter, ...place, limit: asked } });
    rows.push(...answer.rows.filter(wanted));
    unread.push(...answer.unread);
    from = answer.rows.at(-1)?.seq;
    const whole = answer.next === null && answer.rows.length < asked;
    if (whole || from === undefined || rows.length >= limit)
      // Newest first is how they are found; oldest first is how they are read.
      return { rows: rows.toSorted((a, b) => a.seq - b.seq), size: answer.size, unread };
  }
}

export function showRows({ terminal }: Context, rows: readonly RowView[], { json, lines, follow }: Shown): void {
  // Rows that are to come want their headings before them.
  if (rows.length === 0 && (json || !follow)) return;
  terminal.print(json ? rows.map((row) => JSON.stringify(row)).join("\n") : lines(rows));
}

/** Says which rows fit and cannot be read. */
export function sayUnread({ terminal }: Context, unread: readonly number[]): void {
  for (const seq of unread)
    terminal.say(`audit: row #${seq} cannot be read; wirken audit verify says what is wrong with it`);
}

/** Prints each new row that fits, until Ctrl-C. */
export async function followRows(
  { terminal }: Context,
  operator: OperatorPort,
  filter: Asked,
  after: number,
  { wanted, json, line }: Shown,
): Promise<ExitStatus> {
  const { limit: _, after: __, before: ___, since: ____, until: _____, ...about } = { limit: 0, ...filter };
  const stop = new AbortController();
  const pressed = (): void => stop.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, pressed);
  const over = Promise.withResolvers<"pressed">();
  stop.signal.addEventListener("abort", () => over.resolve("pressed"), { once: true });
  try {
    const gone = await Promise.race([
      over.promise,
      operator
        .call(
          { call: "audit.follow", after, filter: about },
          {
            signal: stop.signal,
            onEvent: (event, payload) => {
              if (event.event !== "row" || stop.signal.aborted) return;
              const row = RowView.parse(JSON.parse(new TextDecoder().decode(payload)));
              if (wanted(row)) terminal.print(json ? JSON.stringify(row) : line(row));
            },
          },
        )
        .then(() => "ended" as const),
    ]);
    if (gone === "ended") throw new CommandError(EXIT.notReady, "the daemon ended", "start it with: wirken start");
    return EXIT.ok;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, pressed);
  }
}
