import { createHash } from "node:crypto";
import { fresh } from "./fresh.ts";

export const COMMITMENT_DOMAIN = "wirken/content/v1\n";
export const SALT_BYTES = 32;

/** Fresh for each part of each row: without it the same text would have the same commitment, and a short one could be guessed. */
export function newSalt(): Uint8Array {
  return fresh(SALT_BYTES);
}

/** What a body holds of a content part: `SHA-256("wirken/content/v1\n" ‖ salt ‖ bytes)`.
 *  @param salt 32 bytes.  @returns 64 lower-case hex digits.  @throws {RangeError} for a salt of another length. */
export function commit(salt: Uint8Array, bytes: Uint8Array): string {
  if (salt.length !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes, not ${salt.length}`);
  return createHash("sha256").update(COMMITMENT_DOMAIN).update(salt).update(bytes).digest("hex");
}
