import Database from "better-sqlite3";
import { z } from "zod/mini";
import { KINDS } from "../../audit/action.ts";

/** A row's body as it stands in the file, without its content. */
export type BodyRow = z.infer<typeof Body>;
const Body = z.looseObject({
  $seq: z.int(),
  $kind: z.string(),
  $cause: z.nullable(z.int()),
  $at: z.string(),
});
const Stored = z.array(z.object({ body: z.string() }));

/** Every body of a log that was not pruned, in order, as another process sees it now. It works beside a running daemon, and beside a dead one. */
export function bodiesOf(path: string): string[] {
  const database = new Database(path, { readonly: true, fileMustExist: true });
  try {
    return Stored.parse(database.prepare("SELECT body FROM entry WHERE body <> '' ORDER BY seq").all()).map(
      ({ body }) => body,
    );
  } finally {
    database.close();
  }
}

/** The key that the log began with, as its genesis names it. */
export function vkeyOf(path: string): string {
  const [genesis] = rowsOf(path);
  return z.string().parse(genesis?.["vkey"]);
}

export function rowsOf(path: string): BodyRow[] {
  return bodiesOf(path).map((body) => Body.parse(JSON.parse(body)));
}

/** Intents of one kind that have no outcome on the log. */
export function openRows(path: string, kind: string): BodyRow[] {
  const rows = rowsOf(path);
  const outcomes = outcomesOf(kind);
  const ended = new Set(rows.filter((row) => outcomes.has(row.$kind)).map((row) => row.$cause));
  return rows.filter((row) => row.$kind === kind && !ended.has(row.$seq));
}

function outcomesOf(kind: string): Set<string> {
  const found = Object.entries(KINDS).find(([name]) => name === kind)?.[1];
  const own: readonly string[] = found !== undefined && "outcomes" in found ? found.outcomes : [];
  return new Set([...own, "action.failed", "action.interrupted"]);
}

export type Fault = "refuses" | "forgets";

/** Makes the database refuse, or silently forget, rows of one kind, as a planted trigger would. @returns what takes it away again. */
export function breakLog(path: string, kind: string, fault: Fault): Disposable {
  change(
    path,
    `CREATE TRIGGER planted BEFORE INSERT ON entry WHEN instr(NEW.body, '"$kind":"${kind}"') > 0
     BEGIN SELECT RAISE(${fault === "refuses" ? "ABORT, 'planted'" : "IGNORE"}); END`,
  );
  return { [Symbol.dispose]: () => change(path, "DROP TRIGGER planted") };
}

/** Changes the file behind the log's back. */
export function change(path: string, sql: string): void {
  const database = new Database(path, { fileMustExist: true, timeout: 5_000 });
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}
