import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { TestDaemon } from "../support/daemon.ts";

/** The native parts that a process has mapped, each by its memory file: two copies are two inodes. */
function nativeParts(pid: number): string[] {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
  const found = maps.flatMap((line) => {
    const [, , , , inode = "", ...path] = line.split(/\s+/);
    return path.join(" ").startsWith("/memfd:better-sqlite3") ? [inode] : [];
  });
  return [...new Set(found)];
}

test("a daemon that opens four databases has one copy of SQLite, for a second would drop the locks of the first", async () => {
  await using daemon = await TestDaemon.start();
  await daemon.wirken(["audit", "verify"]);
  expect(nativeParts(daemon.pid)).toHaveLength(1);
});
