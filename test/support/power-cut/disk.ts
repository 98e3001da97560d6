import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Operation } from "./recording.ts";

/** A device writes whole sectors: a write that is cut is cut there. */
const SECTOR = 512;
/** A shared-memory file does not outlive its machine. */
const FORGOTTEN = /-shm$/;

type Change = Extract<Operation, { type: "write" | "truncate" }>;
type NameChange =
  | { readonly type: "name"; readonly name: string; readonly file: string }
  | Extract<Operation, { type: "rename" | "unlink" }>;

/** What a disk surely holds, and what it may hold besides: everything that was written since the last sync of its file, in part, in any combination.
 *  Names too: they are sure once their folder was synced, and a file's own sync makes its name sure, as on every journaling file system. */
export class Disk {
  readonly #sure = new Map<string, Bytes>();
  readonly #pending = new Map<string, Change[]>();
  readonly #names = new Map<string, string>();
  #namesPending: NameChange[] = [];
  /** Names as the process sees them. */
  readonly #seen = new Map<string, string>();

  apply(operation: Operation): void {
    switch (operation.type) {
      case "open":
        if (this.#seen.get(operation.name) !== operation.file)
          this.#name({ type: "name", name: operation.name, file: operation.file });
        if (operation.truncated) this.#change({ type: "truncate", file: operation.file, length: 0 });
        return;
      case "write":
      case "truncate":
        this.#change(operation);
        return;
      case "sync":
        this.#settle(operation.file);
        return;
      case "sync-folder":
        for (const change of this.#namesPending) named(this.#names, change);
        this.#namesPending = [];
        return;
      case "rename":
      case "unlink":
        this.#name(operation);
    }
  }

  #name(change: NameChange): void {
    named(this.#seen, change);
    this.#namesPending.push(change);
  }

  #change(change: Change): void {
    const pending = this.#pending.get(change.file);
    if (pending === undefined) this.#pending.set(change.file, [change]);
    else pending.push(change);
  }

  #settle(file: string): void {
    const sure = this.#sure.get(file) ?? new Bytes();
    for (const change of this.#pending.get(file) ?? []) sure.change(change);
    this.#sure.set(file, sure);
    this.#pending.delete(file);
    const last = this.#namesPending.findLastIndex((change) => change.type === "name" && change.file === file);
    for (const change of this.#namesPending.splice(0, last + 1)) named(this.#names, change);
  }

  /** Puts a disk as it may be after a power cut into a folder. @param random from 0 up to 1; null: nothing that was not synced has arrived. */
  write(folder: string, random: (() => number) | null): void {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { mode: 0o700 });
    const names = new Map(this.#names);
    const kept = random === null ? 0 : Math.floor(random() * (this.#namesPending.length + 1));
    for (const change of this.#namesPending.slice(0, kept)) named(names, change);
    for (const [name, file] of names) {
      if (FORGOTTEN.test(name)) continue;
      const bytes = new Bytes(this.#sure.get(file));
      if (random !== null) for (const change of arrived(this.#pending.get(file) ?? [], random)) bytes.change(change);
      writeFileSync(join(folder, name), bytes.all, { mode: 0o600 });
    }
  }
}

/** Any part of what was written: each write came whole, came in part, or did not come. */
function* arrived(pending: readonly Change[], random: () => number): Generator<Change> {
  const likely = random();
  for (const change of pending) {
    if (random() > likely) continue;
    yield change.type === "write" && random() < 0.2 ? torn(change, random) : change;
  }
}

function torn(change: Extract<Change, { type: "write" }>, random: () => number): Change {
  const sectors = Math.floor((random() * change.bytes.length) / SECTOR);
  return { ...change, bytes: change.bytes.subarray(0, sectors * SECTOR) };
}

function named(names: Map<string, string>, change: NameChange): void {
  if (change.type === "name") names.set(change.name, change.file);
  else if (change.type === "unlink") names.delete(change.name);
  else {
    const file = names.get(change.from);
    names.delete(change.from);
    if (file !== undefined) names.set(change.to, file);
  }
}

/** One file's bytes, with room to grow. */
class Bytes {
  #room: Buffer;
  #length: number;

  constructor(from?: Bytes) {
    this.#room = from === undefined ? Buffer.alloc(0) : Buffer.from(from.all);
    this.#length = this.#room.length;
  }

  get all(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  change(change: Change): void {
    if (change.type === "truncate") this.#resize(change.length);
    else {
      this.#resize(Math.max(this.#length, change.offset + change.bytes.length));
      change.bytes.copy(this.#room, change.offset);
    }
  }

  #resize(length: number): void {
    if (length > this.#room.length) this.#room = Buffer.concat([this.all, Buffer.alloc(2 * length - this.#length)]);
    // What is cut off reads as zeroes when the file grows again.
    if (length < this.#length) this.#room.fill(0, length, this.#length);
    this.#length = length;
  }
}
