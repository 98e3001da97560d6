/** Bytes of a tool's result that a model is given. */
export const MAX_RESULT = 64 * 1024;

/** Text of at most `max` bytes of UTF-8: what is longer is cut in the middle, and says so.
 *  @param gone bytes that are missing in its middle already; then it is longer than `max`. */
export function boundText(text: string, max: number, gone = 0): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= max) return text;
  const room = Math.max(0, max - Buffer.byteLength(left(bytes.length + gone)));
  const head = cutBefore(bytes, Math.ceil(room / 2));
  const tail = cutAfter(bytes, bytes.length - Math.floor(room / 2));
  return `${decode(bytes.subarray(0, head))}${left(tail - head + gone)}${decode(bytes.subarray(tail))}`;
}

function left(count: number): string {
  return `\n[… ${count} bytes left out …]\n`;
}

function decode(part: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(part);
}

/** The largest index up to `at` that does not lie inside a character. */
function cutBefore(bytes: Uint8Array, at: number): number {
  let cut = at;
  while (cut > 0 && isContinuation(bytes[cut])) cut -= 1;
  return cut;
}

function cutAfter(bytes: Uint8Array, at: number): number {
  let cut = at;
  while (cut < bytes.length && isContinuation(bytes[cut])) cut += 1;
  return cut;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
