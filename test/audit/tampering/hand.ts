import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { z } from "zod/mini";
import { canonical } from "../../../audit/canonical.ts";
import { entryHash, NO_PREVIOUS } from "../../../audit/entry.ts";
import { Frontier } from "../../../audit/merkle.ts";
import { signCheckpoint } from "../../../audit/note.ts";
import type { Signer } from "../../../audit/ports.ts";

/** What somebody can do who has the files and knows the format. Keys are given to it where a tampering needs them. */

export interface Row {
  readonly seq: number;
  readonly body: string;
  readonly hash: string;
}
const Rows = z.array(z.object({ seq: z.number(), body: z.string(), hash: z.string() }));
const Checkpoints = z.array(z.object({ size: z.number(), note: z.string(), frontier: z.string() }));
export type StoredNote = z.infer<typeof Checkpoints>[number];

export function readRows(database: Database.Database): Row[] {
  return Rows.parse(database.prepare("SELECT seq, body, hash FROM entry ORDER BY seq").all());
}

/** The files of one log, to be tampered with. */
export class Copy {
  readonly folder: string;
  readonly path: string;

  constructor(folder: string) {
    this.folder = folder;
    this.path = join(folder, "audit.db");
  }

  /** Changes the database, by whatever means SQLite has. */
  edit(change: (database: Database.Database) => void): void {
    const database = new Database(this.path, { fileMustExist: true });
    try {
      // A copy for one test: nothing is lost with the power.
      database.pragma("synchronous = OFF");
      change(database);
    } finally {
      database.close();
    }
  }

  run(sql: string, ...values: readonly (string | number | bigint | Uint8Array | null)[]): void {
    this.edit((database) => {
      const { changes } = database.prepare<(string | number | bigint | Uint8Array | null)[]>(sql).run(...values);
      if (changes < 1) throw new Error(`this changed nothing: ${sql}`);
    });
  }

  /** Takes the table's own rules away while it is changed, and puts its definition back as it was, byte for byte. */
  withoutRules(table: string, change: (database: Database.Database) => void): void {
    const rewrite = (from: string, to: string): void => {
      this.edit((database) => {
        database.unsafeMode();
        database.pragma("writable_schema = ON");
        database.prepare("UPDATE sqlite_schema SET sql = replace(sql, ?, ?) WHERE name = ?").run(from, to, table);
      });
    };
    const rules = [
      [" STRICT", ""],
      [" NOT NULL", "          "],
    ] as const;
    const before = this.#definition(table);
    for (const [rule, none] of rules) rewrite(rule, none);
    this.edit(change);
    this.edit((database) => {
      database.unsafeMode();
      database.pragma("writable_schema = ON");
      database.prepare("UPDATE sqlite_schema SET sql = ? WHERE name = ?").run(before, table);
    });
  }

  #definition(table: string): string {
    let sql: unknown;
    this.edit((database) => {
      sql = database.prepare("SELECT sql FROM sqlite_schema WHERE name = ?").pluck().get(table);
    });
    return z.string().parse(sql);
  }

  rows(): Row[] {
    let rows: Row[] = [];
    this.edit((database) => {
      rows = readRows(database);
    });
    return rows;
  }

  notes(): StoredNote[] {
    let notes: StoredNote[] = [];
    this.edit((database) => {
      notes = Checkpoints.parse(database.prepare("SELECT * FROM checkpoint ORDER BY size").all());
    });
    return notes;
  }

  /** Puts other rows in the place of all. Content of rows that are no more goes with them. */
  store(rows: readonly Row[]): void {
    this.edit((database) => {
      database.exec("DELETE FROM entry");
      const insert = database.prepare("INSERT INTO entry VALUES (?, ?, ?)");
      for (const { seq, body, hash } of rows) insert.run(seq, body, hash);
      database.prepare("DELETE FROM content WHERE id >= ?").run(rows.length * 16);
    });
  }

  storeNotes(notes: readonly StoredNote[]): void {
    this.edit((database) => {
      database.exec("DELETE FROM checkpoint");
      const insert = database.prepare("INSERT INTO checkpoint VALUES (?, ?, ?)");
      for (const { size, note, frontier } of notes) insert.run(size, note, frontier);
    });
  }

  /** Leaves only what there was when the log had so many rows; the checkpoint file goes back too if it is to. */
  cutTo(size: number, file: "with its checkpoint file" | "without its checkpoint file"): void {
    this.edit((database) => {
      database.prepare("DELETE FROM entry WHERE seq >= ?").run(size);
      database.prepare("DELETE FROM checkpoint WHERE size > ?").run(size);
      database.prepare("DELETE FROM content WHERE id >= ?").run(size * 16);
    });
    if (file === "with its checkpoint file") this.file = this.notes().at(-1)?.note ?? "";
  }

  /** The checkpoint file beside the database. */
  get file(): string {
    return readFileSync(join(this.folder, "audit.checkpoint"), "utf8");
  }
  set file(note: string) {
    writeFileSync(join(this.folder, "audit.checkpoint"), note);
  }

  /** One byte of the file of this name; negative places count from its end. */
  flip(name: string, place: number): void {
    const path = join(this.folder, name);
    const bytes = readFileSync(path);
    const at = place < 0 ? bytes.length + place : place;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }
}

/** Numbers bodies anew, their causes too, and links them: what needs no key. Bodies before `from` keep their numbers. */
export function chained(bodies: readonly string[], from = 0): Row[] {
  const moved = new Map<string, number>();
  for (const [at, body] of bodies.entries()) {
    const own = /"\$seq":(\d+)/.exec(body)?.[1] ?? "";
    if (!moved.has(own)) moved.set(own, at);
  }
  let previous = NO_PREVIOUS;
  return bodies.map((given, seq) => {
    const body =
      seq < from
        ? given
        : given
            .replace(/"\$seq":\d+/, `"$seq":${seq}`)
            .replace(/"\$cause":(\d+)/, (whole, cause: string) => `"$cause":${moved.get(cause) ?? whole.slice(9)}`);
    previous = entryHash(previous, body);
    return { seq, body, hash: previous };
  });
}

/** Which keys sign the checkpoint of so many rows? */
export type Keys = (size: number) => readonly Signer[];

/** The keys as the log's own rotations order them. @param rotations sizes of the checkpoints that two keys sign. */
export function keysOf(signers: readonly Signer[], rotations: readonly number[]): Keys {
  return (size) => {
    const epoch = rotations.filter((rotation) => rotation < size).length;
    return signers.slice(epoch, epoch + (rotations.includes(size) ? 2 : 1));
  };
}

/** Signs a checkpoint for each row that calls for one. */
export function signedAnew(rows: readonly Row[], origin: string, keys: Keys): StoredNote[] {
  const tree = new Frontier();
  return rows.flatMap(({ seq, body, hash }) => {
    tree.append(hash);
    if (!isSigned(body)) return [];
    const size = seq + 1;
    return [{ size, note: signCheckpoint({ origin, size, root: tree.root() }, keys(size)), frontier: tree.toString() }];
  });
}

export function isSigned(body: string): boolean {
  return /^.{0,80}"\$kind":"(log\.checkpointed|key\.rotated)"/.test(body);
}

export function isOf(body: string, kind: string): boolean {
  return body.includes(`"$kind":"${kind}","$seq"`);
}

/** Another digit in the place of one: a body as good as before. */
export function otherByte(body: string): string {
  const at = body.lastIndexOf('"nonce":"') + 12;
  return `${body.slice(0, at)}${body.charAt(at) === "0" ? "1" : "0"}${body.slice(at + 1)}`;
}

export function otherHash(hash: string): string {
  return `${hash.slice(0, 20)}${hash.charAt(20) === "0" ? "1" : "0"}${hash.slice(21)}`;
}

/** Sets fields of a body, in its one form. */
export function withFields(body: string, fields: Readonly<Record<string, unknown>>): string {
  return canonical({ ...fieldsOf(body), ...fields });
}

export function fieldsOf(body: string): Record<string, unknown> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(body));
}

export function replaced<T>(list: readonly T[], at: number, by: T): T[] {
  return list.map((item, place) => (place === at ? by : item));
}

/** Links rows from one on; those before stay as they are, emptied or not. */
export function linkedFrom(rows: readonly Row[], from: number): Row[] {
  let previous = rows[from - 1]?.hash ?? NO_PREVIOUS;
  return rows.map((row) => {
    if (row.seq < from) return row;
    previous = entryHash(previous, row.body);
    return { ...row, hash: previous };
  });
}
