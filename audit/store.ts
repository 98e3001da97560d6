import type Database from "better-sqlite3";
import { pinnedCertificate } from "./anchor-proof.ts";
import { readBody } from "./entry.ts";
import { AuditError } from "./error.ts";
import { PARTS_A_ROW } from "./content.ts";
import type { LogHead } from "./head.ts";
import type { Prepared } from "./writer.ts";

/** The statements of one transaction, prepared once. */
export class Store {
  readonly #database: Database.Database;
  readonly #begin: Database.Statement<[]>;
  readonly #commit: Database.Statement<[]>;
  readonly #head: Database.Statement<[]>;
  readonly #insert: Database.Statement<[number, string, string]>;
  readonly #read: Database.Statement<[number]>;
  readonly #insertContent: Database.Statement<[number, Uint8Array]>;
  readonly #readContent: Database.Statement<[number]>;
  readonly #insertCheckpoint: Database.Statement<[number, string, string]>;
  readonly #readCheckpoint: Database.Statement<[number]>;
  readonly #version: Database.Statement<[]>;
  readonly #foreign: () => void;
  /** As SQLite counts commits of other connections. */
  #seen: unknown;
  readonly #blankBody: Database.Statement<[number]>;
  readonly #blankContent: Database.Statement<[number, number]>;
  readonly #emptyBody: Database.Statement<[number]>;
  readonly #dropContent: Database.Statement<[number, number]>;

  /** @param foreign told when another connection has changed the file. What it throws refuses the rows that were to be written. */
  constructor(database: Database.Database, foreign: () => void) {
    this.#database = database;
    this.#foreign = foreign;
    this.#version = database.prepare<[]>("PRAGMA data_version").pluck();
    this.#seen = this.#version.get();
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#head = database.prepare<[]>("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").raw();
    this.#insert = database.prepare("INSERT INTO entry VALUES (?, ?, ?)");
    this.#read = database.prepare<[number]>("SELECT body, hash FROM entry WHERE seq = ?").raw();
    this.#insertContent = database.prepare("INSERT INTO content VALUES (?, ?)");
    this.#readContent = database.prepare<[number]>("SELECT sealed FROM content WHERE id = ?").pluck();
    this.#blankBody = database.prepare(
      "UPDATE entry SET body = printf('%.*c', octet_length(body), '0') WHERE seq = ? AND body <> ''",
    );
    this.#blankContent = database.prepare(
      "UPDATE content SET sealed = zeroblob(octet_length(sealed)) WHERE id >= ? AND id < ?",
    );
    this.#emptyBody = database.prepare("UPDATE entry SET body = '' WHERE seq = ? AND body <> ''");
    this.#dropContent = database.prepare("DELETE FROM content WHERE id >= ? AND id < ?");
    this.#insertCheckpoint = database.prepare("INSERT INTO checkpoint VALUES (?, ?, ?)");
    this.#readCheckpoint = database.prepare<[number]>("SELECT note, frontier FROM checkpoint WHERE size = ?").raw();
  }

  /** Writes rows after the head that the writer knows, in one durable transaction, and reads each back before it commits.
   *  @throws {AuditError} AUDIT_SECOND_WRITER, AUDIT_BROKEN, or SQLite's own error: nothing was written then. */
  write(rows: readonly Prepared[], head: LogHead): void {
    this.#begin.run();
    try {
      this.#expect(head);
      this.look();
      for (const row of rows) {
        this.#put(row);
        for (const { id, blob } of row.sealed) this.#putContent(row.seq, id, blob);
        for (const seq of row.empties) this.#blank(row.seq, seq);
        for (const seq of row.empties) this.#empty(row.seq, seq);
        for (const der of row.certificates ?? []) this.#putCertificate(row, der);
        if (row.checkpoint !== null) this.#putCheckpoint(row.checkpoint.size, row.checkpoint.note, row.frontier);
      }
      this.#commit.run();
    } finally {
      // A commit that failed may have ended the transaction itself.
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
    }
  }

  /** Has another connection committed since the last look? It takes microseconds, so it is asked before every row. */
  look(): void {
    const version = this.#version.get();
    if (version === this.#seen) return;
    this.#seen = version;
    this.#foreign();
  }

  #expect({ size, previous }: LogHead): void {
    const last: unknown = this.#head.get();
    const [seq, hash]: unknown[] = Array.isArray(last) ? last : [-1, previous];
    if (seq === size - 1 && hash === previous) return;
    throw new AuditError(
      "AUDIT_SECOND_WRITER",
      `nothing was recorded, and nothing is any more: somebody else wrote to the audit log (it ends at row ${String(seq)}, and row ${size - 1} was our last)`,
    );
  }

  // A trigger that ignores drops a row without an error, and one that rewrites changes it: both are seen before the commit.
  #put({ seq, body, hash }: Prepared): void {
    const { changes } = this.#insert.run(seq, body, hash);
    const stored: unknown = this.#read.get(seq);
    const [storedBody, storedHash]: unknown[] = Array.isArray(stored) ? stored : [];
    if (changes !== 1 || storedBody !== body || storedHash !== hash) throw tampered(seq);
  }

  #putContent(seq: number, id: number, blob: Uint8Array): void {
    const { changes } = this.#insertContent.run(id, blob);
    const stored: unknown = this.#readContent.get(id);
    if (changes !== 1 || !(stored instanceof Uint8Array) || Buffer.compare(stored, blob) !== 0) throw tampered(seq);
  }

  #putCertificate({ seq, body }: Prepared, der: Uint8Array): void {
    const name = readBody(body)?.fields["anchor"];
    if (typeof name !== "string") throw new AuditError("AUDIT_INVALID", `row ${seq} pins a certificate for no anchor`);
    const proof = Buffer.from(pinnedCertificate(der));
    // Seldom: nothing is kept prepared for it.
    const insert = this.#database.prepare("INSERT INTO anchor (size, name, proof) VALUES (0, ?, ?)");
    const { lastInsertRowid, changes } = insert.run(name, proof);
    const stored: unknown = this.#database
      .prepare("SELECT proof FROM anchor WHERE id = ?")
      .pluck()
      .get(lastInsertRowid);
    if (changes !== 1 || !(stored instanceof Uint8Array) || Buffer.compare(stored, proof) !== 0) throw tampered(seq);
  }

  /** Overwrites a row's body and content where they lie. SQLite overwrites what it frees, but not what it leaves behind when it moves rows from a page that has
   *  room to another one: so all that goes is overwritten before the first of it goes. */
  #blank(by: number, seq: number): void {
    if (this.#blankBody.run(seq).changes !== 1) throw tampered(by);
    this.#blankContent.run(seq * PARTS_A_ROW, (seq + 1) * PARTS_A_ROW);
  }

  #empty(by: number, seq: number): void {
    if (this.#emptyBody.run(seq).changes !== 1) throw tampered(by);
    this.#dropContent.run(seq * PARTS_A_ROW, (seq + 1) * PARTS_A_ROW);
  }

  #putCheckpoint(size: number, note: string, frontier: string): void {
    const { changes } = this.#insertCheckpoint.run(size, note, frontier);
    const stored: unknown = this.#readCheckpoint.get(size);
    const [storedNote, storedFrontier]: unknown[] = Array.isArray(stored) ? stored : [];
    if (changes !== 1 || storedNote !== note || storedFrontier !== frontier) throw tampered(size - 1);
  }
}

function tampered(seq: number): AuditError {
  return new AuditError(
    "AUDIT_BROKEN",
    `nothing was recorded: the database did not store row ${seq} as it was given, so something was planted in it`,
  );
}
