import { MAX_FILES, MAX_TOTAL } from "./manifest.ts";
import type { SkillFile, SkillFiles } from "./verify.ts";

/** Many files as bytes on one pipe: `u32 length ‖ JSON [[path, size, executable], …] ‖ the files' bytes`. */

/** With the signatures and the list itself. */
export const MAX_PACKED = MAX_TOTAL + 1024 * 1024;
/** Of the list, in bytes. */
const MAX_HEAD = 512 * 1024;

export function packFiles(files: SkillFiles): Uint8Array {
  const head = Buffer.from(
    JSON.stringify([...files].map(([path, { bytes, executable }]) => [path, bytes.length, executable])),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return Buffer.concat([length, head, ...Array.from(files.values(), ({ bytes }) => bytes)]);
}

/** @throws {TypeError} for what {@link packFiles} does not make. */
export function unpackFiles(packed: Uint8Array): Map<string, SkillFile> {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const length = bytes.length < 4 ? MAX_HEAD + 1 : bytes.readUInt32BE();
  if (length > MAX_HEAD || bytes.length < 4 + length) throw broken();
  let head: unknown;
  try {
    head = JSON.parse(bytes.toString("utf8", 4, 4 + length));
  } catch (cause) {
    throw broken({ cause });
  }
  if (!Array.isArray(head) || head.length > MAX_FILES + 2) throw broken();
  const files = new Map<string, SkillFile>();
  let at = 4 + length;
  for (const entry of head) {
    const [path, size, executable]: unknown[] = Array.isArray(entry) ? entry : [];
    if (typeof path !== "string" || typeof size !== "number" || typeof executable !== "boolean") throw broken();
    if (!Number.isSafeInteger(size) || size < 0 || at + size > bytes.length || files.has(path)) throw broken();
    files.set(path, { bytes: bytes.subarray(at, at + size), executable });
    at += size;
  }
  if (at !== bytes.length) throw broken();
  return files;
}

function broken(options?: ErrorOptions): TypeError {
  return new TypeError("these bytes are no packed files", options);
}
