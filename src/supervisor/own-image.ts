import { chmodSync, constants, copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { isSea } from "node:sea";
import { NODE_FLAGS } from "../confine/flags.ts";

/** What starts a process of this very build: a role and its words go behind `args`. */
export interface Image {
  readonly command: string;
  readonly args: readonly string[];
}

let copy: Image | null = null;

/** The image that this process runs, even if another build was renamed over its file meanwhile: on Linux the kernel's link to it, elsewhere a
 *  private copy, made at the first call (call it early) and removed at exit. Without an executable, as in unit tests, Node and the sources. */
export function ownImage(): Image {
  if (!isSea()) {
    const main = join(import.meta.dirname, "..", "main.ts");
    return { command: process.execPath, args: [...NODE_FLAGS, main] };
  }
  if (process.platform === "linux") return { command: "/proc/self/exe", args: [] };
  copy ??= privateCopy();
  return copy;
}

function privateCopy(): Image {
  const folder = mkdtempSync(join(tmpdir(), "wirken-"));
  const command = join(folder, basename(process.execPath));
  copyFileSync(process.execPath, command, constants.COPYFILE_FICLONE);
  chmodSync(command, 0o700);
  process.once("exit", () => {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch {
      // Windows keeps the file of a running image; the system's own cleaning takes it later.
    }
  });
  return { command, args: [] };
}
