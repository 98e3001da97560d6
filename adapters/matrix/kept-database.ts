import { randomBytes } from "node:crypto";
import { deserialize, serialize } from "node:v8";
import {
  IDBCursor,
  IDBCursorWithValue,
  IDBDatabase,
  IDBFactory,
  IDBIndex,
  IDBKeyRange,
  IDBObjectStore,
  IDBOpenDBRequest,
  IDBRequest,
  IDBTransaction,
  IDBVersionChangeEvent,
} from "fake-indexeddb";

/** The database that the encryption keeps its keys in: in memory, with every change kept elsewhere before whoever made it hears that it is made. */

/** Keeps a record durably behind those of before, or in their place. */
export type Keep = (record: Uint8Array, replaces: boolean) => Promise<void>;

/** Bytes of changes after which they are kept as one picture: replaying them takes a few hundred milliseconds. */
const COMPACT_BYTES = 4 * 1_048_576;

type Change =
  | readonly [store: string, what: "put", value: unknown, key: unknown]
  | readonly [store: string, what: "delete", key: unknown]
  | readonly [store: string, what: "clear"];

interface StorePicture {
  readonly name: string;
  readonly keyPath: string | string[] | null;
  readonly autoIncrement: boolean;
  readonly indexes: readonly { name: string; keyPath: string | string[]; unique: boolean; multiEntry: boolean }[];
  readonly keys: readonly unknown[];
  readonly values: readonly unknown[];
}

interface DatabasePicture {
  readonly name: string;
  readonly version: number;
  readonly stores: readonly StorePicture[];
}

/** What one record holds. */
type Kept =
  | {
      readonly kind: "picture";
      readonly about: string;
      readonly key: Uint8Array;
      readonly databases: readonly DatabasePicture[];
    }
  | { readonly kind: "changes"; readonly database: string; readonly changes: readonly Change[] };

export class KeptDatabase {
  readonly #factory = new IDBFactory();
  readonly #keep: Keep;
  /** Whose keys these are. */
  readonly #about: string;
  /** What the values in it are encrypted under. */
  key: Uint8Array = randomBytes(32);
  #live = false;
  #sinceCompacted = 0;
  #written = 0;
  #compacting: Promise<void> | null = null;

  private constructor(keep: Keep, about: string) {
    this.#keep = keep;
    this.#about = about;
  }

  /** @param kept what was kept, in order. @param about whose keys are wanted: those of somebody else are not opened. @returns null in `found` if there were none. */
  static async restore(
    kept: readonly Uint8Array[],
    about: string,
    keep: Keep,
  ): Promise<{ readonly database: KeptDatabase; readonly found: "none" | "ours" | "other" }> {
    const database = new KeptDatabase(keep, about);
    let found: "none" | "ours" | "other" = "none";
    for (const bytes of kept) {
      // What comes back is what this class kept: the supervisor sealed it, and what was changed does not open.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const record = deserialize(bytes) as Kept;
      if (record.kind === "picture") {
        found = record.about === about ? "ours" : "other";
        if (found !== "ours") continue;
        database.key = record.key;
        for (const one of record.databases) await database.#draw(one);
      } else if (found === "ours") await database.#redo(record.database, record.changes);
    }
    return { database, found };
  }

  /** Makes it what a library of the browser's finds as its database. */
  install(): void {
    const given = this.#factory;
    const open = given.open.bind(given);
    given.open = (name: string, version?: number): IDBOpenDBRequest => {
      const request = version === undefined ? open(name) : open(name, version);
      request.addEventListener("success", () => this.#watch(request.result));
      return request;
    };
    Object.assign(globalThis, {
      indexedDB: given,
      IDBCursor,
      IDBCursorWithValue,
      IDBDatabase,
      IDBFactory,
      IDBIndex,
      IDBKeyRange,
      IDBObjectStore,
      IDBOpenDBRequest,
      IDBRequest,
      IDBTransaction,
      IDBVersionChangeEvent,
    });
  }

  /** From here on nothing is changed unless it is kept: what there is, first. */
  async begin(): Promise<void> {
    await this.compact();
    this.#live = true;
  }

  /** Keeps all there is as one record, in the place of all before. */
  async compact(): Promise<void> {
    this.#compacting ??= this.#compact().finally(() => {
      this.#compacting = null;
    });
    await this.#compacting;
  }

  async #compact(): Promise<void> {
    for (;;) {
      const before = this.#written;
      const pictures: DatabasePicture[] = [];
      const infos = await this.#factory.databases();
      const keeping: Promise<void>[] = [];
      for (const [i, { name = "" }] of infos.entries()) {
        const last = i === infos.length - 1;
        await this.#picture(name, (picture) => {
          pictures.push(picture);
          // A change that came between two pictures would be lost with the record that replaces it.
          if (!last || this.#written !== before) return;
          const record: Kept = { kind: "picture", about: this.#about, key: this.key, databases: pictures };
          this.#sinceCompacted = 0;
          keeping.push(this.#keep(serialize(record), true));
        });
      }
      await Promise.all(keeping);
      if (infos.length === 0 || keeping.length > 0) return;
    }
  }

  /** @param taken called when the picture is complete and before anything else is changed. */
  async #picture(name: string, taken: (picture: DatabasePicture) => void): Promise<void> {
    const db = await this.#opened(name);
    const names = [...db.objectStoreNames];
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const transaction = db.transaction(names, "readonly");
    const stores: StorePicture[] = [];
    for (const store of names.map((one) => transaction.objectStore(one))) {
      const keys = store.getAllKeys();
      const values = store.getAll();
      const indexes = [...store.indexNames].map((one) => store.index(one));
      values.addEventListener("success", () => {
        stores.push({
          name: store.name,
          keyPath: store.keyPath,
          autoIncrement: store.autoIncrement,
          indexes: indexes.map(({ name: index, keyPath, unique, multiEntry }) => ({
            name: index,
            keyPath,
            unique,
            multiEntry,
          })),
          keys: keys.result,
          values: values.result,
        });
      });
    }
    transaction.addEventListener("complete", () => {
      taken({ name, version: db.version, stores });
      resolve();
    });
    transaction.addEventListener("abort", () => reject(new Error("the database could not be read")));
    await promise;
    db.close();
  }

  async #draw({ name, version, stores }: DatabasePicture): Promise<void> {
    const request = this.#factory.open(name, version);
    request.addEventListener("upgradeneeded", () => {
      for (const { name: store, keyPath, autoIncrement, indexes, keys, values } of stores) {
        const made = request.result.createObjectStore(store, { keyPath, autoIncrement });
        for (const index of indexes)
          made.createIndex(index.name, index.keyPath, { unique: index.unique, multiEntry: index.multiEntry });
        for (const [i, value] of values.entries()) {
          if (keyPath === null) made.put(value, keyOf(keys[i]));
          else made.put(value);
        }
      }
    });
    (await settled(request)).close();
  }

  async #redo(name: string, changes: readonly Change[]): Promise<void> {
    const db = await this.#opened(name);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const transaction = db.transaction([...new Set(changes.map(([store]) => store))], "readwrite");
    for (const change of changes) {
      const store = transaction.objectStore(change[0]);
      if (change[1] === "clear") store.clear();
      else if (change[1] === "delete") store.delete(rangeOf(change[2]));
      else if (change[3] === undefined) store.put(change[2]);
      else store.put(change[2], keyOf(change[3]));
    }
    transaction.addEventListener("complete", () => resolve());
    transaction.addEventListener("abort", () =>
      reject(new Error("a kept change does not fit what was kept before it")),
    );
    await promise;
    db.close();
  }

  async #opened(name: string): Promise<IDBDatabase> {
    return await settled(IDBFactory.prototype.open.call(this.#factory, name));
  }

  /** What is changed through this connection is kept, and the end of a transaction is told when that is done. */
  #watch(db: IDBDatabase): void {
    const begin = db.transaction.bind(db);
    db.transaction = (names: string | string[] | Iterable<string>, mode?, options?) => {
      const transaction = begin(names, mode, options);
      if (mode === "readwrite" && this.#live) this.#journal(db.name, transaction);
      return transaction;
    };
  }

  #journal(database: string, transaction: IDBTransaction): void {
    const changes: Change[] = [];
    const find = transaction.objectStore.bind(transaction);
    const seen = new Set<IDBObjectStore>();
    transaction.objectStore = (name) => {
      const store = find(name);
      if (!seen.has(store)) noteChanges(store, changes);
      seen.add(store);
      return store;
    };
    let told = false;
    transaction.addEventListener("complete", (event) => {
      if (told || changes.length === 0) return;
      told = true;
      event.stopImmediatePropagation();
      this.#written += 1;
      const record: Kept = { kind: "changes", database, changes };
      const bytes = serialize(record);
      this.#sinceCompacted += bytes.length;
      void this.#keep(bytes, false).then(() => {
        // The same event could not be stopped and go on: this is one of its kind that the package lets us make.
        transaction.dispatchEvent(new IDBVersionChangeEvent("complete"));
        if (this.#sinceCompacted > COMPACT_BYTES) void this.compact();
      });
    });
  }
}

/** Notes what is done to a store through this object, cursors of it and of its indexes included. */
function noteChanges(store: IDBObjectStore, changes: Change[]): void {
  const { name } = store;
  const plain = {
    put: store.put.bind(store),
    add: store.add.bind(store),
    delete: store.delete.bind(store),
    clear: store.clear.bind(store),
    index: store.index.bind(store),
  };
  const changed = (change: Change): void => void changes.push(change);
  store.put = (value, key) => {
    changed([name, "put", structuredClone(value), structuredClone(key)]);
    return plain.put(value, key);
  };
  store.add = (value, key) => {
    changed([name, "put", structuredClone(value), structuredClone(key)]);
    return plain.add(value, key);
  };
  store.delete = (key) => {
    changed([name, "delete", key instanceof IDBKeyRange ? boundsOf(key) : structuredClone(key)]);
    return plain.delete(key);
  };
  store.clear = () => {
    changed([name, "clear"]);
    return plain.clear();
  };
  noteCursors(store, store, changed);
  store.index = (index) => {
    const found = plain.index(index);
    noteCursors(found, store, changed);
    return found;
  };
}

function noteCursors(from: IDBObjectStore | IDBIndex, store: IDBObjectStore, changed: (change: Change) => void): void {
  const open = from.openCursor.bind(from);
  from.openCursor = (query, direction) => {
    const request = open(query, direction);
    const seen = new Set<IDBCursor>();
    request.addEventListener("success", () => {
      const cursor = request.result;
      // It is one object all the way, moved on.
      if (cursor === null || seen.has(cursor)) return;
      seen.add(cursor);
      const update = cursor.update.bind(cursor);
      const remove = cursor.delete.bind(cursor);
      cursor.update = (value: unknown) => {
        const key = store.keyPath === null ? structuredClone(cursor.primaryKey) : undefined;
        changed([store.name, "put", structuredClone(value), key]);
        return update(value);
      };
      cursor.delete = () => {
        changed([store.name, "delete", structuredClone(cursor.primaryKey)]);
        return remove();
      };
    });
    return request;
  };
}

interface Bounds {
  readonly lower: unknown;
  readonly upper: unknown;
  readonly lowerOpen: boolean;
  readonly upperOpen: boolean;
}

function boundsOf({ lower, upper, lowerOpen, upperOpen }: IDBKeyRange): Bounds {
  return { lower, upper, lowerOpen, upperOpen };
}

function rangeOf(key: unknown): IDBValidKey | IDBKeyRange {
  if (typeof key !== "object" || key === null || !("lowerOpen" in key)) return keyOf(key);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const { lower, upper, lowerOpen, upperOpen } = key as Bounds;
  if (lower === undefined) return IDBKeyRange.upperBound(upper, upperOpen);
  if (upper === undefined) return IDBKeyRange.lowerBound(lower, lowerOpen);
  return IDBKeyRange.bound(lower, upper, lowerOpen, upperOpen);
}

/** It was a key when it was kept. */
function keyOf(key: unknown): IDBValidKey {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return key as IDBValidKey;
}

async function settled(request: IDBOpenDBRequest): Promise<IDBDatabase> {
  const { promise, resolve, reject } = Promise.withResolvers<IDBDatabase>();
  request.addEventListener("success", () => resolve(request.result));
  request.addEventListener("error", () => reject(new Error("the database could not be opened")));
  return await promise;
}
