import { chmodSync, closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Files of the data directory that are put aside, and what takes their place. */
export interface StagedSwap {
  readonly root: string;
  /** The folder in which what takes the place was made whole. */
  readonly staging: string;
  /** What is kept, read-only, under another name. A write-ahead log stands before its database: it must never lie beside another one. */
  readonly aside: readonly (readonly [from: string, to: string])[];
  /** What is made anew from the rest. */
  readonly gone: readonly string[];
  /** What else ends with the old ones. */
  readonly cleared?: () => void;
  readonly placed: readonly (readonly [from: string, to: string])[];
}

/** Puts the old files aside and the new ones in their place. Begun again after a crash at any instant, it goes on where it was. */
export function swapIn({ root, staging, aside, gone, cleared, placed }: StagedSwap): void {
  const mark = join(staging, "cleared");
  // From then on what lies there is of the new ones.
  if (!existsSync(mark)) {
    for (const [from, to] of aside) {
      if (!existsSync(from)) continue;
      chmodSync(from, 0o400);
      renameSync(from, to);
    }
    for (const path of gone) rmSync(path, { force: true });
    cleared?.();
    syncFolder(root);
    durably(mark, "");
  }
  for (const [from, to] of placed) if (existsSync(from)) renameSync(from, to);
  syncFolder(root);
  rmSync(staging, { recursive: true, force: true });
}

/** Writes a small file so that it is there after a power cut, name and all. */
export function durably(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600, flush: true });
  syncFolder(dirname(path));
}

/** Makes names that were given in a folder durable. */
export function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
