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

export interface Contents {
  readonly head: Head;
  /** By `scope epoch`. */
  readonly keys: ReadonlyMap<string, KeyRow>;
  /** By `scope name version`. */
  readonly records: ReadonlyMap<string, RecordRow>;
}

/** One step of a change: the same list changes the memory and the file. */
export type Step =
  | { readonly put: "head"; readonly row: Head }
  | { readonly put: "key"; readonly row: KeyRow }
  | { readonly put: "record"; readonly row: RecordRow }
  | { readonly drop: "key"; readonly row: KeyRow }
  | { readonly drop: "record"; readonly row: RecordRow };

export function keyName(row: { scope: string; epoch: number }): string {
  return `${row.scope} ${row.epoch}`;
}

export function recordName(row: { scope: string; name: string; version: number }): string {
  return `${row.scope} ${row.name} ${row.version}`;
}

/** @returns what `contents` become; they are left as they are. */
export function applySteps(contents: Contents, steps: readonly Step[]): Contents {
  let head = contents.head;
  const keys = new Map(contents.keys);
  const records = new Map(contents.records);
  for (const step of steps) {
    if ("drop" in step) {
      if (step.drop === "key") keys.delete(keyName(step.row));
      else records.delete(recordName(step.row));
    } else if (step.put === "head") head = step.row;
    else if (step.put === "key") keys.set(keyName(step.row), step.row);
    else records.set(recordName(step.row), step.row);
  }
  return { head, keys, records };
}

/** A row does not change once made, so its leaf is computed once. */
const leaves = new WeakMap<object, string>();

function leafOf<Row extends object>(row: Row, encode: (row: Row) => Uint8Array): string {
  const known = leaves.get(row);
  if (known !== undefined) return known;
  const leaf = hash("sha256", encode(row), "hex");
  leaves.set(row, leaf);
  return leaf;
}

/** The digest that the log holds of a vault, over everything in it:
 *
 *  ```
 *  root   = SHA-256("wirken/vault/root/v1\n" ‖ leaf(head) "\n" ‖ (leaf "\n")* )      leaves of keys and records in hex, in ascending order
 *  head   = SHA-256("H" ‖ vault id ‖ u64 generation ‖ u32 master id ‖ lp(protector) ‖ lp(wrapping) ‖ lp(commitment))
 *  key    = SHA-256("K" ‖ lp(scope) ‖ u32 epoch ‖ lp(commitment) ‖ lp(wrapped))
 *  record = SHA-256("R" ‖ lp(scope) ‖ lp(name) ‖ u64 version ‖ lp(metadata) ‖ lp(sealed))
 *  ```
 *
 *  @returns 64 lower-case hex digits. */
export function rootOf({ head, keys, records }: Contents): string {
  const rows = keys
    .values()
    .map((row) => leafOf(row, encodeKey))
    .toArray()
    .concat(
      records
        .values()
        .map((row) => leafOf(row, encodeRecord))
        .toArray(),
    )
    .toSorted();
  return hash("sha256", `wirken/vault/root/v1\n${[leafOf(head, encodeHead), ...rows].join("\n")}\n`, "hex");
}

function encodeHead(row: Head): Uint8Array {
  const fixed = join("H", row.id, u64(row.generation), u32(row.masterId));
  return join(fixed, lp(row.protector), lp(row.wrapping), lp(row.commitment));
}

function encodeKey(row: KeyRow): Uint8Array {
  return join("K", lp(row.scope), u32(row.epoch), lp(row.commitment), lp(row.wrapped));
}

function encodeRecord(row: RecordRow): Uint8Array {
  return join("R", lp(row.scope), lp(row.name), u64(row.version), lp(row.metadata), lp(row.sealed));
}
