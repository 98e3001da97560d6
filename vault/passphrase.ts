import { randomBytes } from "node:crypto";
import { argon2id, type Argon2Cost, commitment, KEY_BYTES, open, seal, SEAL_BYTES } from "./crypto.ts";
import { join, readU32, u32 } from "./encoding.ts";
import { COMMITMENT_BYTES } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { Secret } from "./secret.ts";

/** A master wrapped by a passphrase:
 *
 *  ```
 *  cost    = u32 memory (KiB) ‖ u32 passes ‖ u32 lanes
 *  place   = "WKP1" ‖ vault id ‖ u32 master id ‖ cost ‖ salt16
 *  key     = Argon2id(passphrase, salt16, cost, associated data = place)
 *  wrapped = 0x01 ‖ cost ‖ salt16 ‖ commitment(key) ‖ nonce24 ‖ XChaCha20-Poly1305(key, master, place ‖ commitment(key))
 *  ```
 */
const FORMAT = 0x01;
const COST: Argon2Cost = { memory: 65_536, passes: 3, lanes: 4 };
/** A later version may ask for more; this one computes at most this much for a file it did not write itself. */
const MOST: Argon2Cost = { memory: 1_048_576, passes: 16, lanes: 16 };
const SALT_BYTES = 16;
const SALT_AT = 13;
const COMMITMENT_AT = SALT_AT + SALT_BYTES;
const SEALED_AT = COMMITMENT_AT + COMMITMENT_BYTES;
const WRAPPING_BYTES = SEALED_AT + SEAL_BYTES + KEY_BYTES;
/** Short of this, one guess being slow does not help. */
const MIN_PASSPHRASE_BYTES = 10;
const MAX_PASSPHRASE_BYTES = 1024;

export interface MasterPlace {
  readonly vault: Uint8Array;
  readonly masterId: number;
}

/** What a wrapping says of itself. */
export interface Wrapping {
  readonly cost: Argon2Cost;
  readonly salt: Uint8Array;
  readonly commitment: Uint8Array;
  readonly sealed: Uint8Array;
}

function encodeCost(cost: Argon2Cost): Uint8Array {
  return join(u32(cost.memory), u32(cost.passes), u32(cost.lanes));
}

function ad({ vault, masterId }: MasterPlace, cost: Argon2Cost, salt: Uint8Array): Uint8Array {
  return join("WKP1", vault, u32(masterId), encodeCost(cost), salt);
}

/** @param passphrase 10 to 1,024 bytes, as typed. @returns 133 bytes for the vault's file. @throws {VaultError} VAULT_WEAK_PASSPHRASE. */
export async function wrapMaster(passphrase: Secret, place: MasterPlace, master: Secret): Promise<Uint8Array> {
  const length = passphrase.use((bytes) => bytes.length);
  if (length < MIN_PASSPHRASE_BYTES || length > MAX_PASSPHRASE_BYTES)
    throw new VaultError(
      "VAULT_WEAK_PASSPHRASE",
      `A passphrase has ${MIN_PASSPHRASE_BYTES} to ${MAX_PASSPHRASE_BYTES} bytes: four or five words that do not belong together are good`,
    );
  const salt = randomBytes(SALT_BYTES);
  const where = ad(place, COST, salt);
  using key = await argon2id(passphrase, salt, COST, where);
  const commit = commitment(key);
  const sealed = master.use((bytes) => seal(key, join(where, commit), bytes));
  return join(Uint8Array.of(FORMAT), encodeCost(COST), salt, commit, sealed);
}

/** @throws {VaultError} VAULT_DAMAGED for another form, VAULT_WEAKENED for parameters that nobody chose here. */
export function parseWrapping(wrapping: Uint8Array): Wrapping {
  if (wrapping.length !== WRAPPING_BYTES || wrapping[0] !== FORMAT)
    throw new VaultError("VAULT_DAMAGED", "The wrapped master key is not of a known form");
  const cost = { memory: readU32(wrapping, 1), passes: readU32(wrapping, 5), lanes: readU32(wrapping, 9) };
  for (const name of ["memory", "passes", "lanes"] as const)
    if (cost[name] < COST[name] || cost[name] > MOST[name])
      throw new VaultError(
        "VAULT_WEAKENED",
        `The passphrase's ${name} is ${cost[name]} and lies between ${COST[name]} and ${MOST[name]} in a vault of ours: the file was changed`,
      );
  return {
    cost,
    salt: wrapping.slice(SALT_AT, COMMITMENT_AT),
    commitment: wrapping.slice(COMMITMENT_AT, SEALED_AT),
    sealed: wrapping.slice(SEALED_AT),
  };
}

/** @returns the master, the caller's to dispose of.
 *  @throws {VaultError} VAULT_DAMAGED, VAULT_WEAKENED, and VAULT_WRONG_PASSPHRASE, which a change of the cost or salt looks like. */
export async function unwrapMaster(passphrase: Secret, place: MasterPlace, wrapping: Uint8Array): Promise<Secret> {
  const { cost, salt, commitment: expected, sealed } = parseWrapping(wrapping);
  const where = ad(place, cost, salt);
  using key = await argon2id(passphrase, salt, cost, where);
  if (Buffer.compare(commitment(key), expected) !== 0)
    throw new VaultError("VAULT_WRONG_PASSPHRASE", "The passphrase is not this vault's");
  const master = open(key, join(where, expected), sealed);
  if (master === null) throw new VaultError("VAULT_DAMAGED", "The wrapped master key does not open: it was changed");
  return Secret.take(master);
}
