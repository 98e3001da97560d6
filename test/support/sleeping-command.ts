import { readdirSync, readFileSync } from "node:fs";

/** How many processes on this machine sleep so long, by the words they were started with: a number that no other program sleeps for finds a command. */
export function sleepers(seconds: string): number {
  return readdirSync("/proc").filter((name) => /^\d+$/.test(name) && commandOf(name) === `sleep\0${seconds}\0`).length;
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return ""; // it has just ended
  }
}
