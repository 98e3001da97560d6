import type Database from "better-sqlite3";
import { readProof } from "./anchor-proof.ts";
import { isSqlite } from "./database.ts";
import { AuditError } from "./error.ts";
import { growthProof } from "./growth.ts";
import { frontierAt, rootOfRows, type StoredCheckpoint } from "./head.ts";
import { unwritable } from "./writer.ts";

/** What anchors answered. No row: a proof is worth what its signature is worth, wherever it lies. */
export class AnchorStore {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Stores an answer, durably. @param size of the checkpoint that it is about. @throws {AuditError} AUDIT_UNWRITABLE. */
  store(name: string, size: number, proof: Uint8Array): void {
    try {
      this.#database
        .prepare("INSERT INTO anchor (size, name, proof) VALUES (?, ?, ?)")
        .run(size, name, Buffer.from(proof));
    } catch (error) {
      throw unwritable(error);
    }
  }

  /** Every certificate that was ever pinned for an anchor, in DER. */
  certificates(name: string): Uint8Array[] {
    const stored: unknown[] = this.#database
      .prepare("SELECT proof FROM anchor WHERE name = ? AND size = 0 ORDER BY id LIMIT 64")
      .pluck()
      .all(name);
    return stored.flatMap((proof) => {
      const read = proof instanceof Uint8Array ? readProof(proof) : null;
      return read?.type === "certificate" ? [read.der] : [];
    });
  }

  /** The newest size that an anchor has answered for; 0 if none is stored. */
  newest(name: string): number {
    const size: unknown = this.#database.prepare("SELECT max(size) FROM anchor WHERE name = ?").pluck().get(name);
    return typeof size === "number" ? size : 0;
  }

  /** All that is stored of an anchor, newest first. */
  proofs(name: string, limit: number): { size: number; proof: Uint8Array }[] {
    const rows: unknown[] = this.#database
      .prepare("SELECT size, proof FROM anchor WHERE name = ? ORDER BY id DESC LIMIT ?")
      .raw()
      .all(name, limit);
    return rows.flatMap((row) => {
      const [size, proof]: unknown[] = Array.isArray(row) ? row : [];
      return typeof size === "number" && proof instanceof Uint8Array ? [{ size, proof }] : [];
    });
  }

  /** The newest stored checkpoint of at most so many rows, or null. */
  checkpoint(atMost: number = Number.MAX_SAFE_INTEGER): StoredCheckpoint | null {
    const row: unknown = this.#database
      .prepare("SELECT size, note FROM checkpoint WHERE size <= ? ORDER BY size DESC LIMIT 1")
      .raw()
      .get(atMost);
    const [size, note]: unknown[] = Array.isArray(row) ? row : [];
    return typeof size === "number" && typeof note === "string" ? { size, note } : null;
  }

  /** That the first `from` rows are the beginning of the first `to` (RFC 6962 §2.1.2).
   *  @param from 1 up to `to`. @param to at most the log's size.
   *  @returns hashes in 64 hex digits. @throws {RangeError}, {AuditError} AUDIT_BROKEN. */
  async growth(from: number, to: number): Promise<string[]> {
    const older = this.#frontier(from);
    return await growthProof(older, to, (start, end) => rootOfRows(this.#database, start, end));
  }

  #frontier(size: number) {
    try {
      const found = size < 1 ? null : frontierAt(this.#database, size);
      if (found !== null) return found;
    } catch (error) {
      if (isSqlite(error, "SQLITE_CORRUPT", "SQLITE_IOERR")) throw unwritable(error);
      throw error;
    }
    throw new AuditError("AUDIT_INVALID", `the log has no first ${size} rows`);
  }
}
