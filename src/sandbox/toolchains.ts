import { lstatSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { INSIDE } from "./walk.ts";

/** What a command sees under these names is not this machine's. */
const OWN = ["/tmp", "/var/tmp", "/dev", "/proc", INSIDE];

/** Folders with programs that the operator gave to commands, as they are now.
 *  @param folders as they were written down.
 *  @param home the data directory. */
export function usableToolchains(folders: readonly string[], home: string): readonly string[] {
  return folders.filter((folder) => troubleWith(folder, home) === null);
}

/** Why a folder is none that commands may read; null: it is one. */
export function troubleWith(folder: string, home: string): string | null {
  let real: string;
  try {
    real = realpathSync(folder);
    if (!statSync(real).isDirectory()) return "it is not a directory";
  } catch {
    return "it is not there";
  }
  if (OWN.some((own) => holds(own, real))) return "commands have a folder of their own there";
  if (holds(real, home)) return "the data directory lies in it";
  if (holds(home, real)) return "it lies in the data directory";
  if (holds(real, homedir())) return "a whole home folder, or what is above it, is no toolchain";
  return null;
}

/** Where the programs of a toolchain are. */
export function programsOf(toolchain: string): string {
  const bin = join(toolchain, "bin");
  return lstatSync(bin, { throwIfNoEntry: false }) === undefined ? toolchain : bin;
}

/** The directories above a path, from the top down, without `/`. */
export function above(path: string): string[] {
  const parent = dirname(path);
  return parent === "/" ? [] : [...above(parent), parent];
}

function holds(folder: string, path: string): boolean {
  let real = resolve(path);
  try {
    real = realpathSync(real);
  } catch {
    // As it is written.
  }
  return `${real}/`.startsWith(folder === "/" ? "/" : `${folder}/`);
}
