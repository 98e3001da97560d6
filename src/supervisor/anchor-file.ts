import { constants } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** A checkpoint is shorter by far. */
const MAX_NOTE = 16_384;

export type Copy =
  | { readonly state: "found"; readonly note: string }
  | { readonly state: "absent" }
  | { readonly state: "unreachable"; readonly sentence: string };

/** Reads the checkpoint in a file anchor. A disk that is not there is unreachable, never empty. */
export async function readCopy(path: string): Promise<Copy> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const buffer = Buffer.alloc(MAX_NOTE);
      const { bytesRead } = await file.read(buffer, 0, MAX_NOTE, 0);
      return { state: "found", note: buffer.subarray(0, bytesRead).toString("utf8") };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) !== "ENOENT") return { state: "unreachable", sentence: `it cannot be read (${codeOf(error)})` };
  }
  try {
    return (await stat(dirname(path))).isDirectory()
      ? { state: "absent" }
      : { state: "unreachable", sentence: "its folder is none" };
  } catch (error) {
    return { state: "unreachable", sentence: `its folder is not there (${codeOf(error)}): is the disk connected?` };
  }
}

/** Puts the newest checkpoint in the place of the one before: after a crash at any instant it is one of the two.
 *  @returns what went wrong, or null. */
export async function copyNote(path: string, note: string): Promise<string | null> {
  const draft = `${path}.new`;
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
    const file = await open(draft, flags, 0o600);
    try {
      await file.writeFile(note);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    const folder = await open(dirname(path), constants.O_RDONLY);
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
    return null;
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    return `it cannot be written (${codeOf(error)})`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "no code";
}
