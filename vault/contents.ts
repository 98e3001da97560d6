import { hash } from "node:crypto";
import { join, lp, u32, u64 } from "./encoding.ts";

/** The whole logical content of a vault, held in memory from its opening on: the file is read once, compared with the log, and only written after that.
 *  So nobody who can write the file while the daemon runs can make it read something else. */
export type ProtectorKind = "none" | "keychain" | "passphrase";

export interface Head {
  /** 16 random bytes. */
  readonly id: Uint8Array;
  /** One more with every change. */
  readonly generation: number;
  /** Counts the masters this vault has had, from 1. */
  readonly masterId: number;
  readonly protector: ProtectorKind;
  /** With a passphrase: the wrapped master and how it is derived; else empty. */
  readonly wrapping: Uint8Array;
  /** Of the KEK, so that a wrong master is told from a changed vault. */
  readonly commitment: Uint8Array;
}

export interface KeyRow {
  readonly scope: string;
  readonly epoch: number;
  readonly commitment: Uint8Array;
  readonly wrapped: Uint8Array;
}

export interface RecordRow {
  readonly scope: string;
  readonly name: string;
  readonly version: number;
  readonly metadata: Uint8Array;
  readonly sealed: Uint8Array;
}

/** What the owner's recovery phrase opens. */
export interface RecoveryRow {
  /** Of the phrase's X25519 key pair. */
  readonly publicKey: Uint8Array;
  /** The key-encryption key, sealed to it. */
  readonly sealed: Uint8Array;
}

export interface Contents {
  readonly head: Head;
  /** Null until a recovery phrase was made. */
  readonly recovery: RecoveryRow | null;
  /** By `scope epoch`. */
  readonly keys: ReadonlyMap<string, KeyRow>;
  /** By `scope name version`. */
  readonly records: ReadonlyMap<string, RecordRow>;
  /** The leaves of keys and records, in hex, in ascending order. */
  readonly leaves: readonly string[];
}

/** One step of a change: the same list changes the memory and the file. A row that is `gone` is deleted. */
export type Step =
  | { readonly table: "head"; readonly row: Head }
  | { readonly table: "recovery"; readonly row: RecoveryRow }
  | { readonly table: "key"; readonly row: KeyRow; readonly gone?: true }
  | { readonly table: "record"; readonly row: RecordRow; readonly gone?: true };

export function keyName(row: { scope: string; epoch: number }): string {
  return `${row.scope} ${row.epoch}`;
}

export function recordName(row: { scope: string; name: string; version: number }): string {
  return `${row.scope} ${row.name} ${row.version}`;
}

export function contentsOf(
  head: Head,
  keyRows: readonly KeyRow[],
  recordRows: readonly RecordRow[],
  recovery: RecoveryRow | null = null,
): Contents {
  const keys = new Map(keyRows.map((row) => [keyName(row), row]));
  const records = new Map(recordRows.map((row) => [recordName(row), row]));
  return { head, recovery, keys, records, leaves: [...keyRows.map(keyLeaf), ...recordRows.map(recordLeaf)].toSorted() };
}

/** The rows of one scope, in no order. With ten thousand rows, looking through all of them for each of them would take minutes: they are sorted by scope once. */
function byScope<Row extends { readonly scope: string }>(): (
  rows: ReadonlyMap<string, Row>,
) => ReadonlyMap<string, readonly Row[]> {
  const sorted = new WeakMap<ReadonlyMap<string, Row>, ReadonlyMap<string, readonly Row[]>>();
  return (rows) => {
    const found = sorted.get(rows);
    if (found !== undefined) return found;
    const made = Map.groupBy(rows.values(), (row) => row.scope);
    sorted.set(rows, made);
    return made;
  };
}
export const keysByScope = byScope<KeyRow>();
export const recordsByScope = byScope<RecordRow>();

/** @returns what `contents` become; they are left as they are. */
export function applySteps(contents: Contents, steps: readonly Step[]): Contents {
  let { head, recovery } = contents;
  const keys = new Map(contents.keys);
  const records = new Map(contents.records);
  const gone = new Set<string>();
  const come = new Set<string>();
  const replace = (before: string | null, after: string | null): void => {
    if (before !== null && !come.delete(before)) gone.add(before);
    if (after !== null) come.add(after);
  };
  for (const step of steps) {
    if (step.table === "head") {
      head = step.row;
    } else if (step.table === "recovery") {
      recovery = step.row;
    } else if (step.table === "key") {
      const name = keyName(step.row);
      const before = keys.get(name);
      replace(before === undefined ? null : keyLeaf(before), step.gone ? null : keyLeaf(step.row));
      if (step.gone) keys.delete(name);
      else keys.set(name, step.row);
    } else {
      const name = recordName(step.row);
      const before = records.get(name);
      replace(before === undefined ? null : recordLeaf(before), step.gone ? null : recordLeaf(step.row));
      if (step.gone) records.delete(name);
      else records.set(name, step.row);
    }
  }
  // Sorting what is sorted but for its end is quick: a session's key costs the same on the first day and after years.
  const leaves = [...contents.leaves.filter((leaf) => !gone.has(leaf)), ...come].toSorted();
  return { head, recovery, keys, records, leaves };
}

/** A row does not change once made, so its leaf is computed once. */
const known = new WeakMap<object, string>();

function remembered<Row extends object>(row: Row, encode: (row: Row) => Uint8Array): string {
  const found = known.get(row);
  if (found !== undefined) return found;
  const leaf = hash("sha256", encode(row), "hex");
  known.set(row, leaf);
  return leaf;
}

export function recoveryLeaf(row: RecoveryRow): string {
  return remembered(row, encodeRecovery);
}

export function headLeaf(row: Head): string {
  return remembered(row, encodeHead);
}

export function keyLeaf(row: KeyRow): string {
  return remembered(row, encodeKey);
}

export function recordLeaf(row: RecordRow): string {
  return remembered(row, encodeRecord);
}

/** The digest that the log holds of a vault, over everything in it:
 *
 *  ```
 *  root   = SHA-256("wirken/vault/root/v1\n" ‖ leaf(head) "\n" ‖ leaf(recovery) "\n" if there is one ‖ (leaf "\n")* )
 *                                                                           leaves of keys and records in hex, in ascending order
 *  head   = SHA-256("H" ‖ vault id ‖ u64 generation ‖ u32 master id ‖ lp(protector) ‖ lp(wrapping) ‖ lp(commitment))
 *  recovery = SHA-256("P" ‖ lp(public key) ‖ lp(sealed))
 *  key    = SHA-256("K" ‖ lp(scope) ‖ u32 epoch ‖ lp(commitment) ‖ lp(wrapped))
 *  record = SHA-256("R" ‖ lp(scope) ‖ lp(name) ‖ u64 version ‖ lp(metadata) ‖ lp(sealed))
 *  ```
 *
 *  @returns 64 lower-case hex digits. */
export function rootOf(contents: Contents): string {
  const found = known.get(contents);
  if (found !== undefined) return found;
  const recovery = contents.recovery === null ? [] : [recoveryLeaf(contents.recovery)];
  const lines = [headLeaf(contents.head), ...recovery, ...contents.leaves, ""].join("\n");
  const root = hash("sha256", `wirken/vault/root/v1\n${lines}`, "hex");
  known.set(contents, root);
  return root;
}

function encodeHead(row: Head): Uint8Array {
  const fixed = join("H", row.id, u64(row.generation), u32(row.masterId));
  return join(fixed, lp(row.protector), lp(row.wrapping), lp(row.commitment));
}

function encodeRecovery(row: RecoveryRow): Uint8Array {
  return join("P", lp(row.publicKey), lp(row.sealed));
}

function encodeKey(row: KeyRow): Uint8Array {
  return join("K", lp(row.scope), u32(row.epoch), lp(row.commitment), lp(row.wrapped));
}

function encodeRecord(row: RecordRow): Uint8Array {
  return join("R", lp(row.scope), lp(row.name), u64(row.version), lp(row.metadata), lp(row.sealed));
}
