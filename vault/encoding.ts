/** The framing of everything that is sealed or hashed here: integers are big endian, and what has no fixed length says its length. */

const text = new TextEncoder();

/** @throws {RangeError} beyond 32 bits. */
export function u32(value: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new RangeError(`${value} is not a u32`);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** @throws {RangeError} beyond 2^53 - 1: such a number did not come from here. */
export function u64(value: number): Uint8Array {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a u64`);
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** `u32 byte length ‖ bytes`; text as UTF-8. @throws {RangeError} for a lone surrogate, which UTF-8 would turn into another text. */
export function lp(value: string | Uint8Array): Uint8Array {
  if (typeof value === "string" && !value.isWellFormed()) throw new RangeError("text with a lone surrogate");
  const bytes = typeof value === "string" ? text.encode(value) : value;
  return join(u32(bytes.length), bytes);
}

/** `a ‖ b ‖ …`; text as UTF-8. */
export function join(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  return joinAll(parts);
}

/** The same for more parts than a call may have arguments. */
export function joinAll(parts: readonly (string | Uint8Array)[]): Uint8Array {
  const pieces = parts.map((part) => (typeof part === "string" ? text.encode(part) : part));
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

/** The u32 at `at`, which must lie within `bytes`. */
export function readU32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at);
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
