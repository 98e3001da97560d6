import { hash } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

/** Of a manifest, in bytes. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Names the manifest that a proxy holds its service to: it is hashed, and not read for what it says.
 *  @param path of the file, or of the folder where the proxy keeps those that it has seen, as `1.json`, `2.json` and on: the newest counts.
 *  @returns SHA-256, lower-case hex; null if it cannot be read. */
export async function manifestDigest(path: string): Promise<string | null> {
  try {
    const file = (await stat(path)).isDirectory() ? await newest(path) : path;
    if (file === null || (await stat(file)).size > MAX_BYTES) return null;
    return hash("sha256", await readFile(file));
  } catch {
    return null;
  }
}

async function newest(folder: string): Promise<string | null> {
  const numbers = (await readdir(folder)).flatMap((name) => {
    const number = /^(\d{1,9})\.json$/.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
  return numbers.length === 0 ? null : join(folder, `${Math.max(...numbers)}.json`);
}
