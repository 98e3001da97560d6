import { readFileSync } from "node:fs";

/** State 0A of /proc/net/tcp: listening. */
const LISTENING = "0A";
/** 127.0.0.1 and every address of this machine, as the kernel writes them (little-endian hex); in tcp6 also such a socket for both. */
const LOOPBACK: ReadonlySet<string> = new Set([
  "0100007F",
  "00000000",
  "0000000000000000FFFF00000100007F",
  "00000000000000000000000000000000",
]);

/** Whether anybody on this machine listens on a port of 127.0.0.1, found out without a connection.
 *  @returns null where that cannot be told: not on Linux, and not where another system's ports are reached there too (WSL). */
export function isListening(port: number): boolean | null {
  if (process.platform !== "linux") return null;
  try {
    if (readFileSync("/proc/version", "utf8").toLowerCase().includes("microsoft")) return null;
    const wanted = port.toString(16).toUpperCase().padStart(4, "0");
    return ["/proc/net/tcp", "/proc/net/tcp6"].some((table) =>
      lines(table).some((line) => {
        const fields = line.trim().split(/\s+/);
        const [address = "", at = ""] = (fields[1] ?? "").split(":");
        return fields[3] === LISTENING && at === wanted && LOOPBACK.has(address);
      }),
    );
  } catch {
    return null;
  }
}

/** None where the kernel has no IPv6. @throws for the table that is always there. */
function lines(table: string): string[] {
  try {
    return readFileSync(table, "utf8").split("\n").slice(1);
  } catch (error) {
    if (table.endsWith("6")) return [];
    throw error;
  }
}
