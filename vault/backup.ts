import {
  type Contents,
  contentsOf,
  type KeyRow,
  type ProtectorKind,
  type RecordRow,
  type RecoveryRow,
} from "./contents.ts";
import { commitment, KEY_BYTES, open, seal, SEAL_BYTES } from "./crypto.ts";
import { hex, join, joinAll, lp, readU32, u32, u64 } from "./encoding.ts";
import { COMMITMENT_BYTES, VAULT_ID_BYTES } from "./envelope.ts";
import { VaultError } from "./error.ts";
import type { Unlocked } from "./keyring.ts";
import { unwrapMaster, wrapMaster } from "./passphrase.ts";
import { openWithRecovery, PUBLIC_BYTES, sealForRecovery } from "./recovery.ts";
import { Secret } from "./secret.ts";

/** A vault in one file, for another place. Without the recovery phrase or the passphrase it shows the vault's id, that it is a backup, and its size.
 *
 *  ```
 *  file   = header ‖ chunk*                                     key = 32 random bytes, for this file alone
 *  header = "WKBACKUP" ‖ 0x01 ‖ vault id ‖ lp(public32, or nothing) ‖ lp(key sealed to it, or nothing) ‖ lp(key wrapped by a passphrase, or nothing) ‖ commitment(key)
 *  chunk  = nonce24 ‖ XChaCha20-Poly1305(key, ≤ 1 MiB of body, header ‖ u32 number ‖ u32 chunks)
 *  body   = KEK32 ‖ lp(made) ‖ u64 generation ‖ u32 master id ‖ lp(protector) ‖ commitment of the KEK ‖ u32 keys ‖ key* ‖ u32 records ‖ record*
 *  key    = lp(scope) ‖ u32 epoch ‖ lp(commitment) ‖ lp(wrapped)          record = lp(scope) ‖ lp(name) ‖ u64 version ‖ lp(metadata) ‖ lp(sealed)
 *  ```
 */
const MAGIC = new TextEncoder().encode("WKBACKUP\u0001");
const CHUNK_BYTES = 1_048_576;
/** Both ways in belong to the file and not to a master of the vault's. */
const NO_MASTER = 0;
/** As many rows as a vault may hold, and room for its content keys. */
const MAX_ROWS = 1_000_000;

/** What is to open a backup, besides the recovery phrase if one was made. */
export interface BackupKeys {
  readonly passphrase: Secret | null;
}

/** What opens a backup: what a recovery phrase says, or a passphrase. */
export type BackupOpener =
  | { readonly by: "phrase"; readonly entropy: Secret }
  | { readonly by: "passphrase"; readonly passphrase: Secret };

/** A backup, open. The key is the caller's to dispose of. */
export interface OpenedBackup {
  readonly unlocked: Unlocked;
  /** When it was made. */
  readonly made: string;
  readonly recovery: Uint8Array | null;
}

/** @throws {VaultError} VAULT_NO_RECOVERY, VAULT_WEAK_PASSPHRASE. */
export async function sealBackup(unlocked: Unlocked, made: string, { passphrase }: BackupKeys): Promise<Uint8Array> {
  const { head, recovery } = unlocked.contents;
  if (recovery === null && passphrase === null)
    throw new VaultError(
      "VAULT_NO_RECOVERY",
      "Nothing would open this backup: make a recovery phrase first (wirken vault recovery create), or give it a passphrase (--passphrase)",
    );
  using key = Secret.random(KEY_BYTES);
  const place = { vault: head.id, masterId: NO_MASTER };
  const sealed = recovery === null ? null : sealForRecovery(recovery.publicKey, place, key, "WKB1");
  const wrapped = passphrase === null ? new Uint8Array(0) : await wrapMaster(passphrase, place, key);
  const header = join(
    MAGIC,
    head.id,
    lp(sealed?.publicKey ?? new Uint8Array(0)),
    lp(sealed?.sealed ?? new Uint8Array(0)),
    lp(wrapped),
    commitment(key),
  );
  const body = encodeBody(unlocked, made);
  const chunks = Math.ceil(body.length / CHUNK_BYTES);
  const file = [header];
  for (let at = 0; at < chunks; at++)
    file.push(seal(key, join(header, u32(at), u32(chunks)), body.subarray(at * CHUNK_BYTES, (at + 1) * CHUNK_BYTES)));
  body.fill(0);
  return join(...file);
}

/** @throws {VaultError} VAULT_DAMAGED, VAULT_WRONG_PHRASE, VAULT_WRONG_PASSPHRASE, VAULT_WEAKENED, VAULT_NO_RECOVERY if the file does not open in this way. */
export async function openBackup(file: Uint8Array, opener: BackupOpener): Promise<OpenedBackup> {
  const reader = new Reader(file);
  if (Buffer.compare(reader.bytes(MAGIC.length), MAGIC) !== 0) throw damaged("is no backup of a vault");
  const vault = reader.bytes(VAULT_ID_BYTES);
  const publicKey = reader.lp();
  const sealed = reader.lp();
  const wrapped = reader.lp();
  const expected = reader.bytes(COMMITMENT_BYTES);
  const header = file.subarray(0, reader.at);
  const place = { vault, masterId: NO_MASTER };
  using key = await keyOf(opener, place, { publicKey, sealed }, wrapped);
  if (Buffer.compare(commitment(key), expected) !== 0) throw damaged("is not under the key that it names");
  const body = openChunks(key, header, file.subarray(reader.at));
  try {
    return { ...decodeBody(body, vault), recovery: publicKey.length === 0 ? null : publicKey };
  } finally {
    body.fill(0);
  }
}

async function keyOf(
  opener: BackupOpener,
  place: { vault: Uint8Array; masterId: number },
  row: RecoveryRow,
  wrapped: Uint8Array,
): Promise<Secret> {
  if ((opener.by === "phrase" ? row.publicKey : wrapped).length === 0)
    throw new VaultError(
      "VAULT_NO_RECOVERY",
      `This backup opens with ${opener.by === "phrase" ? "a passphrase, and not with a recovery phrase" : "the recovery phrase, and not with a passphrase"}`,
    );
  if (opener.by === "passphrase") return await unwrapMaster(opener.passphrase, place, wrapped);
  if (row.publicKey.length !== PUBLIC_BYTES) throw damaged("is not of a known form");
  return openWithRecovery(opener.entropy, place, row, "WKB1");
}

function openChunks(key: Secret, header: Uint8Array, sealed: Uint8Array): Uint8Array {
  const step = CHUNK_BYTES + SEAL_BYTES;
  const chunks = Math.ceil(sealed.length / step);
  const body = new Uint8Array(new ArrayBuffer(Math.max(0, sealed.length - chunks * SEAL_BYTES)));
  for (let at = 0; at < chunks; at++) {
    const plain = open(key, join(header, u32(at), u32(chunks)), sealed.subarray(at * step, (at + 1) * step));
    if (plain === null) {
      body.fill(0);
      throw damaged("does not open: it was changed, or cut short");
    }
    body.set(plain, at * CHUNK_BYTES);
    plain.fill(0);
  }
  return body;
}

function encodeBody({ contents, kek }: Unlocked, made: string): Uint8Array {
  const { head, keys, records } = contents;
  return kek.use((bytes) =>
    joinAll([
      bytes,
      lp(made),
      u64(head.generation),
      u32(head.masterId),
      lp(head.protector),
      head.commitment,
      u32(keys.size),
      ...[...keys.values()].flatMap((row) => [lp(row.scope), u32(row.epoch), lp(row.commitment), lp(row.wrapped)]),
      u32(records.size),
      ...[...records.values()].flatMap((row) => [
        lp(row.scope),
        lp(row.name),
        u64(row.version),
        lp(row.metadata),
        lp(row.sealed),
      ]),
    ]),
  );
}

function decodeBody(body: Uint8Array, vault: Uint8Array): { unlocked: Unlocked; made: string } {
  const reader = new Reader(body);
  const kek = Secret.take(reader.bytes(KEY_BYTES));
  try {
    const made = reader.text();
    const head = {
      id: vault,
      generation: reader.u64(),
      masterId: reader.u32(),
      protector: protectorOf(reader.text()),
      wrapping: new Uint8Array(0),
      commitment: reader.bytes(COMMITMENT_BYTES),
    };
    const keys: KeyRow[] = [];
    for (let left = reader.count(); left > 0; left--)
      keys.push({ scope: reader.text(), epoch: reader.u32(), commitment: reader.lp(), wrapped: reader.lp() });
    const records: RecordRow[] = [];
    for (let left = reader.count(); left > 0; left--)
      records.push({
        scope: reader.text(),
        name: reader.text(),
        version: reader.u64(),
        metadata: reader.lp(),
        sealed: reader.lp(),
      });
    reader.end();
    if (Buffer.compare(commitment(kek), head.commitment) !== 0) throw damaged("holds a key that is not its own");
    const contents: Contents = contentsOf(head, keys, records);
    return { unlocked: { contents, kek }, made };
  } catch (error) {
    kek[Symbol.dispose]();
    throw error;
  }
}

function protectorOf(text: string): ProtectorKind {
  if (text === "none" || text === "keychain" || text === "passphrase") return text;
  throw damaged("is not of a known form");
}

function damaged(why: string): VaultError {
  return new VaultError("VAULT_DAMAGED", `The backup ${why}`);
}

/** Reads forward; what is cut short is damaged. Each answer is a copy. */
class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  bytes(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) throw damaged("is cut short");
    const found = new Uint8Array(new ArrayBuffer(length));
    found.set(this.#bytes.subarray(this.at, this.at + length));
    this.at += length;
    return found;
  }

  u32(): number {
    return readU32(this.bytes(4), 0);
  }

  u64(): number {
    const value = Number.parseInt(hex(this.bytes(8)), 16);
    if (!Number.isSafeInteger(value)) throw damaged("is not of a known form");
    return value;
  }

  count(): number {
    const value = this.u32();
    if (value > MAX_ROWS) throw damaged("is not of a known form");
    return value;
  }

  lp(): Uint8Array {
    return this.bytes(this.u32());
  }

  text(): string {
    return new TextDecoder().decode(this.lp());
  }

  end(): void {
    if (this.at !== this.#bytes.length) throw damaged("is longer than it says");
  }
}
