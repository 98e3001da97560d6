import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import type { ContentSealer } from "../../vault/content-seal.ts";
import { VaultError } from "../../vault/error.ts";
import { MAX_KEPT_BYTES, MAX_RECORD_BYTES } from "../ipc/adapter-frames.ts";

/** What cannot be kept, or was kept and is not there as it was. */
export class KeptError extends Error {
  override readonly name = "KeptError";
  readonly code: "KEPT_TOO_MUCH" | "KEPT_CHANGED" | "KEPT_NEWER" | "KEPT_UNWRITABLE";
  constructor(code: KeptError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const VERSION = 1;
const SCHEMA =
  "CREATE TABLE record (channel TEXT NOT NULL, number INTEGER NOT NULL, sealed BLOB NOT NULL, PRIMARY KEY (channel, number)) STRICT;";

export interface KeptParts {
  /** `kept.db`: made with the first record. */
  readonly path: string;
  readonly sealer: () => ContentSealer;
  readonly hasKey: (scope: string) => boolean;
  /** Makes the key of a scope, unless it has one; recorded. */
  readonly contentKey: (scope: string) => Promise<void>;
  readonly destroyKey: (scope: string) => Promise<void>;
  /** Told of what is not there any more, in a sentence. */
  readonly lost: (channel: string, sentence: string) => void;
}

interface Wanted {
  readonly channel: string;
  readonly record: Uint8Array;
  readonly replaces: boolean;
  readonly settled: PromiseWithResolvers<void>;
}

/** What adapters keep between their runs, such as the keys of an encrypted channel: in the order it was kept, each channel's under a content key of its own.
 *  It follows from no row, so it is no part of `state.db`, which may be deleted. */
export class KeptRecords {
  readonly #parts: KeptParts;
  #database: Database.Database | null = null;
  /** Of each channel, those included that are on their way to the disk. */
  readonly #bytes = new Map<string, number>();
  #wanted: Wanted[] = [];
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: KeptParts) {
    this.#parts = parts;
  }

  /** Keeps a record behind those of before, or in their place. Those of one turn of the event loop share one sync.
   *  @returns once it lies durably. @throws {KeptError} KEPT_TOO_MUCH at once; KEPT_UNWRITABLE: nothing of it is kept. */
  async add(channel: string, record: Uint8Array, replaces: boolean): Promise<void> {
    if (record.length > MAX_RECORD_BYTES)
      throw new KeptError("KEPT_TOO_MUCH", `a record to keep of more than ${MAX_RECORD_BYTES} bytes`);
    const bytes = (replaces ? 0 : this.#bytesOf(channel)) + record.length;
    if (bytes > MAX_KEPT_BYTES)
      throw new KeptError("KEPT_TOO_MUCH", `more than ${MAX_KEPT_BYTES} bytes to keep altogether`);
    this.#bytes.set(channel, bytes);
    const settled = Promise.withResolvers<void>();
    this.#wanted.push({ channel, record, replaces, settled });
    if (this.#wanted.length === 1) setImmediate(() => this.#flush());
    await settled.promise;
  }

  /** What a channel has kept, in order. What opens with no key any more is forgotten, and that is said.
   *  @throws {KeptError} KEPT_CHANGED, KEPT_NEWER. */
  *of(channel: string): Generator<Uint8Array> {
    const database = this.#present();
    if (database === null) return;
    const numbers = database
      .prepare("SELECT number FROM record WHERE channel = ? ORDER BY number")
      .pluck()
      .all(channel);
    const one = database.prepare("SELECT sealed FROM record WHERE channel = ? AND number = ?").pluck();
    for (const number of numbers) {
      const record = this.#opened(channel, Number(number), one.get(channel, number));
      if (record === null) {
        this.#forgetRows(channel);
        this.#parts.lost(channel, "what it had kept was sealed by another vault and is forgotten: it begins anew");
        return;
      }
      yield record;
    }
  }

  /** Its credential is gone: so is what it kept, and the key to it. */
  async forget(channel: string): Promise<void> {
    await this.#writing;
    this.#forgetRows(channel);
    if (this.#parts.hasKey(scopeOf(channel))) await this.#parts.destroyKey(scopeOf(channel));
  }

  /** What is on its way to the disk gets there. */
  async close(): Promise<void> {
    if (this.#wanted.length > 0) this.#flush();
    await this.#writing;
    this.#database?.close();
    this.#database = null;
  }

  #flush(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    this.#writing = this.#writing.then(async () => await this.#write(wanted));
  }

  async #write(wanted: readonly Wanted[]): Promise<void> {
    try {
      for (const channel of new Set(wanted.map((one) => one.channel))) await this.#parts.contentKey(scopeOf(channel));
      this.#commit(wanted);
      for (const { settled } of wanted) settled.resolve();
    } catch (cause) {
      this.#bytes.clear();
      const error = new KeptError("KEPT_UNWRITABLE", "what it asked to keep could not be written", { cause });
      for (const { settled } of wanted) settled.reject(error);
    }
  }

  #commit(wanted: readonly Wanted[]): void {
    const database = this.#present() ?? this.#made();
    const sealer = this.#parts.sealer();
    const clear = database.prepare("DELETE FROM record WHERE channel = ?");
    const last = database.prepare("SELECT coalesce(max(number), 0) FROM record WHERE channel = ?").pluck();
    const put = database.prepare("INSERT INTO record VALUES (?, ?, ?)");
    database.transaction(() => {
      for (const { channel, record, replaces } of wanted) {
        // Numbers go on where everything is replaced: a record of before opens at no place of a later one.
        const number = Number(last.get(channel)) + 1;
        if (replaces) clear.run(channel);
        put.run(channel, number, sealer.seal(scopeOf(channel), placeOf(channel, number), record));
      }
    })();
  }

  #opened(channel: string, number: number, sealed: unknown): Uint8Array | null {
    try {
      if (!this.#parts.hasKey(scopeOf(channel))) return null;
      if (!(sealed instanceof Uint8Array)) return null;
      return this.#parts.sealer().open(scopeOf(channel), placeOf(channel, number), sealed);
    } catch (cause) {
      if (!(cause instanceof VaultError) || cause.code !== "VAULT_DAMAGED") throw cause;
      throw new KeptError(
        "KEPT_CHANGED",
        `kept.db was changed by another program: enrol ${channel} again, wirken vault remove ${channel} and vault add ${channel}`,
        { cause },
      );
    }
  }

  #bytesOf(channel: string): number {
    const known = this.#bytes.get(channel);
    if (known !== undefined) return known;
    const database = this.#present();
    const sum = database?.prepare("SELECT coalesce(sum(length(sealed)), 0) FROM record WHERE channel = ?").pluck();
    return Number(sum?.get(channel) ?? 0);
  }

  #forgetRows(channel: string): void {
    this.#bytes.delete(channel);
    const database = this.#present();
    if (database === null) return;
    if (database.prepare("DELETE FROM record WHERE channel = ?").run(channel).changes > 0)
      database.pragma("wal_checkpoint(TRUNCATE)");
  }

  #present(): Database.Database | null {
    return this.#database ?? (existsSync(this.#parts.path) ? this.#made() : null);
  }

  #made(): Database.Database {
    const { path } = this.#parts;
    const database = new Database(path);
    database.pragma("journal_mode = WAL");
    database.pragma("synchronous = FULL");
    database.pragma("secure_delete = ON");
    const version = Number(database.pragma("user_version", { simple: true }));
    if (version > VERSION) {
      database.close();
      throw new KeptError(
        "KEPT_NEWER",
        `${path} is of version ${version}, and this build knows ${VERSION}: start the newer build that wrote it`,
      );
    }
    if (version < VERSION)
      database.transaction(() => {
        database.exec(SCHEMA);
        database.pragma(`user_version = ${VERSION}`);
      })();
    this.#database = database;
    return database;
  }
}

/** The scope of the key, among those of sessions and people. */
function scopeOf(channel: string): string {
  return `kept/${channel}`;
}

function placeOf(channel: string, number: number): string {
  return `kept/${channel}/${number}`;
}
