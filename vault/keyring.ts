import { type Contents, type KeyRow, keyName, keysByScope, type RecordRow, recordsByScope } from "./contents.ts";
import { commitment, KEY_BYTES } from "./crypto.ts";
import { deriveKek, openRecord, recordEpoch, sealRecord, unwrapKey, wrapKey } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { Secret } from "./secret.ts";

/** A vault's contents and the key that opens them. */
export interface Unlocked {
  readonly contents: Contents;
  readonly kek: Secret;
}

/** @returns the key of a scope, the caller's to dispose of. @throws {VaultError} VAULT_NOT_FOUND, VAULT_DAMAGED. */
export function keyOf({ contents, kek }: Unlocked, scope: string, epoch: number): Secret {
  const row = contents.keys.get(keyName({ scope, epoch }));
  if (row === undefined) throw new VaultError("VAULT_NOT_FOUND", `There is no key of ${scope}, epoch ${epoch}`);
  return unwrapKey(kek, { ...placeOf(contents), scope, epoch }, row.wrapped, row.commitment);
}

/** Wraps a key for its scope and epoch. */
export function keyRow({ contents, kek }: Unlocked, scope: string, epoch: number, key: Secret): KeyRow {
  return { scope, epoch, ...wrapKey(kek, { ...placeOf(contents), scope, epoch }, key) };
}

/** Makes a key for a scope: one epoch more than it has. @returns the key, the caller's to dispose of, and its row. */
export function newKey(unlocked: Unlocked, scope: string): { key: Secret; row: KeyRow } {
  const key = Secret.random(KEY_BYTES);
  return { key, row: keyRow(unlocked, scope, newestEpoch(unlocked.contents, scope) + 1, key) };
}

/** Seals `secret` at its place under `key`, which has the given epoch. */
export function recordRow(
  { contents }: Unlocked,
  under: { key: Secret; epoch: number },
  place: { scope: string; name: string; version: number; metadata: Uint8Array },
  secret: Secret,
): RecordRow {
  return { ...place, sealed: sealRecord(under.key, under.epoch, { vault: contents.head.id, ...place }, secret) };
}

/** @returns what a record holds, the caller's to dispose of. @throws {VaultError} VAULT_DAMAGED. */
export function reveal(unlocked: Unlocked, row: RecordRow): Secret {
  using key = keyOf(unlocked, row.scope, recordEpoch(row.sealed));
  return openRecord(key, { vault: unlocked.contents.head.id, ...row }, row.sealed);
}

/** The records of a scope, in the order of version and name. */
export function recordsOf(contents: Contents, scope: string): RecordRow[] {
  return (recordsByScope(contents.records).get(scope) ?? []).toSorted(
    (a, b) => a.version - b.version || (a.name < b.name ? -1 : 1),
  );
}

export function keysOf(contents: Contents, scope: string): KeyRow[] {
  return (keysByScope(contents.keys).get(scope) ?? []).toSorted((a, b) => a.epoch - b.epoch);
}

function newestEpoch(contents: Contents, scope: string): number {
  return keysOf(contents, scope).at(-1)?.epoch ?? 0;
}

function placeOf({ head }: Contents): { vault: Uint8Array; masterId: number } {
  return { vault: head.id, masterId: head.masterId };
}

/** @returns the key-encryption key that a master derives for a vault, the caller's to dispose of. @throws {VaultError} VAULT_WRONG_KEY. */
export function kekOf(master: Secret, head: Contents["head"]): Secret {
  return committed(deriveKek(master, head.id, head.masterId), head);
}

/** @returns the same key, if it is the one that a vault commits to; else it is wiped. @throws {VaultError} VAULT_WRONG_KEY. */
export function committed(kek: Secret, head: Contents["head"]): Secret {
  if (Buffer.compare(commitment(kek), head.commitment) === 0) return kek;
  kek[Symbol.dispose]();
  throw new VaultError("VAULT_WRONG_KEY", "The master key is not the one this vault was sealed under");
}
