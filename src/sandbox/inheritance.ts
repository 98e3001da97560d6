import { readdirSync, readFileSync } from "node:fs";

/** O_CLOEXEC, as `/proc/self/fdinfo` shows it. */
const CLOSED_ON_EXEC = 0o2000000;
let leaking: readonly number[] | null = null;

/** Whoever started us may have left descriptors open that every child inherits. Node opens none of that kind itself, so they are looked for once.
 *  @param last the highest descriptor that the child is given.
 *  @returns what stands above that in the child's `stdio`: `nothing` in their places. */
export function covers(last: number, nothing: number): (number | "ignore")[] {
  leaking ??= readdirSync("/proc/self/fd")
    .map(Number)
    .filter((fd) => fd > 2 && !isClosedOnExec(fd));
  const covered = leaking;
  return Array.from({ length: Math.max(last, ...covered) - last }, (_, index) =>
    covered.includes(index + last + 1) ? nothing : "ignore",
  );
}

function isClosedOnExec(fd: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1] ?? "0";
    return (Number.parseInt(flags, 8) & CLOSED_ON_EXEC) !== 0;
  } catch {
    // Closed since it was listed.
    return true;
  }
}
