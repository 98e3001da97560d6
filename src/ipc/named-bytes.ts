/** A few named secrets as one payload: `(u8 name length ‖ name ‖ u32 length ‖ bytes)*`. The bytes never become a string. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Each secret is at most 64 KiB (a service account's JSON is 2 to 3 KiB). */
const MAX_BYTES = 65_536;
const NAME = /^[a-z0-9-]{1,64}$/;

/** @returns a new buffer that the caller wipes. @throws {RangeError} for a bad name or a secret over 64 KiB. */
export function encodeNamedBytes(entries: readonly NamedBytes[]): Uint8Array {
  let size = 0;
  for (const { name, bytes } of entries) {
    if (!NAME.test(name)) throw new RangeError(`not a name for a secret: ${JSON.stringify(name)}`);
    if (bytes.length === 0 || bytes.length > MAX_BYTES)
      throw new RangeError(`${name} has ${bytes.length} bytes; a secret has 1 to ${MAX_BYTES}`);
    size += 1 + name.length + 4 + bytes.length;
  }
  const out = new Uint8Array(new ArrayBuffer(size));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const { name, bytes } of entries) {
    out[at++] = name.length;
    for (let i = 0; i < name.length; i++) out[at++] = name.charCodeAt(i);
    view.setUint32(at, bytes.length);
    out.set(bytes, at + 4);
    at += 4 + bytes.length;
  }
  return out;
}

/** @returns views into `payload` (wipe it, and they are wiped). @throws {RangeError} if it is not of the form above, or a name comes twice. */
export function decodeNamedBytes(payload: Uint8Array): NamedBytes[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const entries: NamedBytes[] = [];
  let at = 0;
  while (at < payload.length) {
    const nameLength = view.getUint8(at);
    if (at + 1 + nameLength + 4 > payload.length) throw new RangeError("named bytes are cut short");
    const name = String.fromCharCode(...payload.subarray(at + 1, at + 1 + nameLength));
    const length = view.getUint32(at + 1 + nameLength);
    const start = at + 5 + nameLength;
    if (!NAME.test(name) || entries.some((entry) => entry.name === name))
      throw new RangeError("named bytes with a bad name");
    if (length === 0 || length > MAX_BYTES || start + length > payload.length)
      throw new RangeError("named bytes with a bad length");
    entries.push({ name, bytes: payload.subarray(start, start + length) });
    at = start + length;
  }
  return entries;
}
