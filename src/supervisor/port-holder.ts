import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";

/** State 0A of /proc/net/tcp: listening. */
const LISTENING = "0A";
/** 127.0.0.1 and 0.0.0.0 as the kernel writes them (little-endian hex). */
const LOOPBACK = new Set(["0100007F", "00000000"]);

/** Who listens on a port of 127.0.0.1, for people: `node (process 4711)`; null when the system does not tell. */
export function portHolder(port: number): string | null {
  if (process.platform !== "linux") return null;
  try {
    const wanted = port.toString(16).toUpperCase().padStart(4, "0");
    for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [address = "", at = ""] = (fields[1] ?? "").split(":");
      if (fields[3] !== LISTENING || at !== wanted || !LOOPBACK.has(address)) continue;
      return ownerOf(fields[9] ?? "");
    }
  } catch {
    return null;
  }
  return null;
}

function ownerOf(inode: string): string | null {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const held = readdirSync(`/proc/${pid}/fd`).some(
        (fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`,
      );
      if (held) return `${nameOf(pid)} (process ${pid})`;
    } catch {
      // Another user's process, or one that ended meanwhile.
    }
  }
  return null;
}

/** The file that runs: a process may call itself anything. Another user's is not told, and then it is what it calls itself. */
function nameOf(pid: string): string {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, "");
  } catch {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
  }
}
