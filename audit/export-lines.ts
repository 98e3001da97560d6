import { hash } from "node:crypto";
import type Database from "better-sqlite3";
import { NO_PREVIOUS } from "./entry.ts";
import { AuditError } from "./error.ts";

/** Rows read at once: whole tiles of them. */
const PAGE = 512;
const NEWLINE = 10;
const HASH = /^[0-9a-f]{64}$/;
/** What a decoder puts where bytes are no UTF-8. */
const REPLACEMENT = "\ufffd";

/** A row on its way out. */
export interface Passing {
  readonly seq: number;
  /** As stored; empty where it was pruned. */
  readonly body: string;
  readonly hash: string;
  /** Where its line stands in the page's bytes, the newline aside. */
  readonly start: number;
  readonly end: number;
}

/** Lines of one page, in one piece of memory that is used again for the next. */
export interface Page {
  readonly rows: readonly Passing[];
  /** One line behind the other, each with its newline. Valid until the next page. */
  readonly bytes: Buffer;
}

/** Reads the first `size` rows as the lines that are hashed, and checks that each is what its hash says and follows from the one before.
 *  @throws {AuditError} AUDIT_BROKEN naming the first row that is not. */
export function* pagesOf(database: Database.Database, size: number): Generator<Page, void> {
  const select = database
    .prepare<[number, number]>(
      `SELECT seq, body, hash FROM entry NOT INDEXED WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ${PAGE}`,
    )
    .raw();
  let memory = Buffer.alloc(0);
  let previous = NO_PREVIOUS;
  for (let seq = 0; seq < size; ) {
    const found = select.all(seq, size);
    if (found.length === 0) throw broken(`row ${seq} is missing`);
    const stored: { body: string; hash: string }[] = [];
    // A leading newline makes room for the byte that stands before a leaf.
    let text = "\n";
    for (const row of found) {
      if (!Array.isArray(row)) continue;
      const at: unknown = row[0];
      const body: unknown = row[1];
      const own: unknown = row[2];
      if (at !== seq) throw broken(`row ${seq} is missing`);
      if (typeof body !== "string" || typeof own !== "string")
        throw broken(`row ${seq} holds another type than it may`);
      if (body !== "") {
        if (body.includes(REPLACEMENT)) checkText(database, seq, body);
        text += `{"#prev":"${previous}",${body.slice(1)}\n`;
      } else if (!HASH.test(own)) throw broken(`row ${seq} has no hash`);
      stored.push({ body, hash: own });
      [previous, seq] = [own, seq + 1];
    }
    // In UTF-8 a UTF-16 unit takes three bytes at the most.
    if (memory.length < text.length * 3) memory = Buffer.allocUnsafeSlow(text.length * 3);
    const bytes = memory.subarray(0, memory.write(text, "utf8"));
    yield { rows: checked(bytes, stored, seq - stored.length), bytes };
  }
}

function checked(bytes: Buffer, stored: readonly { body: string; hash: string }[], first: number): Passing[] {
  let before = 0;
  return stored.map((row, at): Passing => {
    const seq = first + at;
    const start = before + 1;
    if (row.body === "") return { ...row, seq, start, end: start };
    const end = bytes.indexOf(NEWLINE, start);
    bytes[before] = 0;
    const computed = hash("sha256", bytes.subarray(before, end), "hex");
    bytes[before] = NEWLINE;
    if (computed !== row.hash) throw broken(`row ${seq} was changed`);
    before = end;
    return { body: row.body, hash: row.hash, seq, start, end };
  });
}

/** Decoding is not injective: what reads as text must be that very text. */
function checkText(database: Database.Database, seq: number, body: string): void {
  const bytes: unknown = database
    .prepare("SELECT CAST(body AS BLOB) FROM entry NOT INDEXED WHERE seq = ?")
    .pluck()
    .get(seq);
  if (!(bytes instanceof Uint8Array) || !Buffer.from(body, "utf8").equals(bytes))
    throw broken(`row ${seq} holds bytes that are no text`);
}

export function broken(why: string): AuditError {
  return new AuditError("AUDIT_BROKEN", `nothing was exported, because the log does not verify: ${why}`);
}

/** The first row that is not earlier than a time; null if there is none. Rows that were pruned say nothing of theirs. */
export function firstRowAt(database: Database.Database, at: string): number | null {
  const found: unknown = database
    .prepare<[string]>(
      "SELECT seq FROM entry NOT INDEXED WHERE body <> '' AND substr(body, 9, 24) >= ? ORDER BY seq LIMIT 1",
    )
    .pluck()
    .get(at);
  return typeof found === "number" ? found : null;
}
