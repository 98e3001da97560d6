import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { openLibc } from "../../src/confine/libc.ts";
import { letGoOfFile, untouched } from "../../src/confine/mapped.ts";
import { knownMachine } from "../../src/confine/syscalls.ts";

const MAPS = `00400000-00800000 r--p 00000000 fe:00 42                                 /opt/wirken
Size:               4096 kB
Rss:                2048 kB
Anonymous:             0 kB
00800000-00a00000 r-xp 00400000 fe:00 42                                 /opt/wirken
Rss:                2048 kB
Anonymous:             0 kB
00a00000-00a10000 r--p 00600000 fe:00 42                                 /opt/wirken
Rss:                  64 kB
Anonymous:            64 kB
00a10000-00a20000 rw-p 00610000 fe:00 42                                 /opt/wirken
Rss:                  64 kB
Anonymous:             0 kB
00b00000-00b10000 r--p 00000000 fe:00 43                                 /opt/wirken.old
Anonymous:             0 kB
00c00000-00c10000 r--p 00000000 00:00 0 
Anonymous:             0 kB
`;

test("of a file's mappings those are let go of that nobody writes to and the loader changed nothing in", () => {
  expect(untouched(MAPS, "/opt/wirken")).toEqual([
    { start: 0x40_0000n, end: 0x80_0000n },
    { start: 0x80_0000n, end: 0xa0_0000n },
  ]);
  expect(untouched("", "/opt/wirken")).toEqual([]);
});

/** Kilobytes of the program's own file that this process holds. */
function held(): number {
  const ranges = new Set(
    untouched(readFileSync("/proc/self/smaps", "utf8"), process.execPath).map(({ start }) => start),
  );
  return readFileSync("/proc/self/smaps", "utf8")
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .filter((text) => ranges.has(BigInt(`0x${text.slice(0, text.indexOf("-"))}`)))
    .reduce((sum, text) => sum + Number(/^Rss: +(\d+) kB$/m.exec(text)?.[1] ?? 0), 0);
}

test("a process that has let go of its file holds less of it, and goes on with what it is made of", () => {
  const machine = knownMachine(process.arch);
  if (machine === null) throw new Error(`there are no walls on ${process.arch}`);
  using libc = openLibc(machine);
  const before = held();
  letGoOfFile(libc);
  expect(held()).toBeLessThan(before / 2);
  expect(brotliCompressSync(Buffer.alloc(100_000, 7)).length).toBeLessThan(1_000);
});
