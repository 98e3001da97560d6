import { readFileSync } from "node:fs";
import type { Libc } from "./libc.ts";

// asm-generic/mman-common.h
const MADV_DONTNEED = 4;

interface Mapping {
  readonly start: bigint;
  readonly end: bigint;
}

/** Gives back what a start has read of the executable's file: a mapping that nobody has written to is read again where it is needed, mostly from memory.
 *
 *  A start reads a snapshot, the texts of programs and code that runs once; with what lies beside each of them a process would go on holding megabytes of
 *  the file for as long as it lives. Nothing depends on it: where it is refused, they stay. */
export function letGoOfFile(libc: Libc): void {
  for (const { start, end } of untouched(ownMaps(), process.execPath))
    libc.call("madvise", start, end - start, MADV_DONTNEED);
}

function ownMaps(): string {
  try {
    return readFileSync("/proc/self/smaps", "utf8");
  } catch {
    return "";
  }
}

/** Where a file is mapped, not to be written to, and holds no page that was changed before it was locked: what the loader relocated is nowhere else.
 *  @param maps as `/proc/self/smaps` has them. */
export function untouched(maps: string, path: string): Mapping[] {
  return maps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).flatMap((text) => {
    const found = /^([0-9a-f]+)-([0-9a-f]+) r-[x-]p \S+ \S+ \d+ +(.*)$/m.exec(text);
    if (found === null || found[3] !== path || !/^Anonymous: +0 kB$/m.test(text)) return [];
    return [{ start: BigInt(`0x${found[1]}`), end: BigInt(`0x${found[2]}`) }];
  });
}
