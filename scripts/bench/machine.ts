import { readFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";

/** What the figures of a run are worth: the processors, and how much others wanted of them. */
export function machine(): string {
  return `${cpus().length} × ${cpus()[0]?.model ?? "an unknown processor"}, Node ${process.versions.node}, ${busy()}`;
}

/** How busy the machine is now. On Linux also for which share of the last ten seconds something waited for a processor, and for a disk. */
export function busy(): string {
  const load = `load ${loadavg()[0]?.toFixed(1) ?? "unknown"}`;
  const waits = (["cpu", "io"] as const).map((what) => pressure(what));
  return waits.some((share) => share === null)
    ? load
    : `${load}, waiting for cpu ${waits[0]} %, for disk ${waits[1]} %`;
}

function pressure(what: "cpu" | "io"): string | null {
  try {
    return /^some avg10=([\d.]+)/m.exec(readFileSync(`/proc/pressure/${what}`, "utf8"))?.[1] ?? null;
  } catch {
    return null; // another system, or a kernel without it
  }
}
