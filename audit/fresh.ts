import { randomFillSync } from "node:crypto";

/** Asked of the system at once, in bytes: to ask takes as long for many as for few, and each row wants some. */
const POOL_BYTES = 1_024;
const pool = Buffer.from(new ArrayBuffer(POOL_BYTES));
let left = 0;

/** Random bytes that nobody else was given and nobody else is: they are wiped where they lay.
 *  @throws {RangeError} for more than 1,024. */
export function fresh(count: number): Uint8Array {
  if (count > POOL_BYTES) throw new RangeError(`${count} bytes are more than there are at once`);
  if (count > left) {
    randomFillSync(pool);
    left = POOL_BYTES;
  }
  const from = POOL_BYTES - left;
  left -= count;
  const bytes = new Uint8Array(count);
  bytes.set(pool.subarray(from, from + count));
  pool.fill(0, from, from + count);
  return bytes;
}
