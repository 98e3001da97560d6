import Database from "better-sqlite3";
import type { MemoryEntry } from "../effect/memory-port.ts";

/** Words of a query that count. */
const MAX_WORDS = 24;

/** Whose, and from where. */
export interface Scope {
  readonly agent?: string | undefined;
  readonly principal?: string | undefined;
  readonly channel?: string | undefined;
}

/** Full-text search over what agents keep, in memory alone: nothing of it is ever on disk. */
export class MemoryIndex {
  readonly #database: Database.Database;

  constructor() {
    this.#database = new Database(":memory:");
    // Else a large sort would be written beside.
    this.#database.pragma("temp_store = MEMORY");
    this.#database.exec(`
      CREATE TABLE entry (row INTEGER PRIMARY KEY, memory TEXT NOT NULL UNIQUE, agent TEXT NOT NULL, principal TEXT NOT NULL, channel TEXT NOT NULL,
                          session TEXT NOT NULL, at TEXT NOT NULL, untrusted INTEGER NOT NULL, private TEXT NOT NULL, bytes INTEGER NOT NULL) STRICT;
      CREATE INDEX entry_of ON entry (agent, principal);
      CREATE VIRTUAL TABLE word USING fts5(text, tokenize = "unicode61 remove_diacritics 2");
    `);
  }

  put(entry: MemoryEntry): void {
    const { memory, text, agent, principal, channel, session, row, at, untrusted } = entry;
    this.#database.transaction(() => {
      this.remove(memory);
      this.#database
        .prepare("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .run(
          row,
          memory,
          agent,
          principal,
          channel,
          session,
          at,
          untrusted ? 1 : 0,
          entry.private.join(" "),
          Buffer.byteLength(text),
        );
      this.#database.prepare("INSERT INTO word (rowid, text) VALUES (?, ?)").run(row, text);
    })();
  }

  /** @returns whether it was there. */
  remove(memory: string): boolean {
    const row: unknown = this.#database.prepare("SELECT row FROM entry WHERE memory = ?").pluck().get(memory);
    if (typeof row !== "number") return false;
    this.#database.prepare("DELETE FROM word WHERE rowid = ?").run(row);
    this.#database.prepare("DELETE FROM entry WHERE row = ?").run(row);
    return true;
  }

  get(memory: string): MemoryEntry | null {
    const [found] = this.#entries("e.memory = ?", [memory], "e.row", 1);
    return found ?? null;
  }

  /** How much is kept for a person by an agent. */
  size(agent: string, principal: string): { readonly entries: number; readonly bytes: number } {
    const found: unknown = this.#database
      .prepare(
        "SELECT count(*) AS entries, coalesce(sum(bytes), 0) AS bytes FROM entry WHERE agent = ? AND principal = ?",
      )
      .get(agent, principal);
    const { entries, bytes }: { entries?: unknown; bytes?: unknown } =
      typeof found === "object" && found !== null ? found : {};
    return { entries: Number(entries), bytes: Number(bytes) };
  }

  /** @param query words, or null: the newest first. */
  find(
    scope: Scope,
    query: string | null,
    limit: number,
  ): { readonly entries: readonly MemoryEntry[]; readonly more: number } {
    const given = Object.entries(scope).filter(([, value]) => value !== undefined);
    const where = given.map(([field]) => `e.${field} = ?`);
    const values: unknown[] = given.map(([, value]) => value);
    const words = query === null ? null : wordsOf(query);
    if (words === "") return { entries: [], more: 0 };
    if (words !== null) {
      where.push("word MATCH ?");
      values.push(words);
    }
    const all = this.#entries(
      where.join(" AND ") || "1",
      values,
      words === null ? "e.row DESC" : "bm25(word), e.row DESC",
      -1,
    );
    return { entries: all.slice(0, limit), more: Math.max(0, all.length - limit) };
  }

  #entries(where: string, values: readonly unknown[], order: string, limit: number): MemoryEntry[] {
    return this.#database
      .prepare(
        `SELECT e.*, word.text FROM word JOIN entry e ON e.row = word.rowid WHERE ${where} ORDER BY ${order} LIMIT ${limit}`,
      )
      .all(...values)
      .map((row) => entryOf(row));
  }

  /** Every entry's id and row. */
  rows(): { readonly memory: string; readonly row: number }[] {
    return this.#database
      .prepare("SELECT memory, row FROM entry")
      .all()
      .map((row) => entryPlace(row));
  }

  close(): void {
    this.#database.close();
  }
}

/** What a person or a model wrote is words, never a query language: each is quoted, and any of them may fit. */
function wordsOf(query: string): string {
  const words = query.match(/[\p{L}\p{N}\p{M}]+/gu) ?? [];
  return [...new Set(words)]
    .slice(0, MAX_WORDS)
    .map((word) => `"${word}"*`)
    .join(" OR ");
}

function entryPlace(row: unknown): { memory: string; row: number } {
  const fields: Record<string, unknown> = typeof row === "object" && row !== null ? { ...row } : {};
  return { memory: String(fields["memory"]), row: Number(fields["row"]) };
}

function entryOf(row: unknown): MemoryEntry {
  const fields: Record<string, unknown> = typeof row === "object" && row !== null ? { ...row } : {};
  const text = (name: string): string => String(fields[name]);
  return {
    memory: text("memory"),
    text: text("text"),
    agent: text("agent"),
    principal: text("principal"),
    channel: text("channel"),
    session: text("session"),
    row: Number(fields["row"]),
    at: text("at"),
    untrusted: fields["untrusted"] === 1,
    private: text("private")
      .split(" ")
      .filter((one) => one !== ""),
  };
}
