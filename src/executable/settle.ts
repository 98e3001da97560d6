import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** By then a child has loaded its code and connected to its platform. */
const SETTLED_MS = 2_500;
/** Whether it is idle is looked at so often: it is, if it worked for less than a three-hundredth of that time. */
const LOOK_MS = 15_000;
const IDLE_MICROSECONDS = 50_000;
/** Less is not worth the tens of milliseconds that it takes. */
const WORTH_BYTES = 6 * 1_048_576;

/** Gives back what a start leaves behind, and later what a busy time does: a child that then waits for hours would hold it until its heap is next under
 *  pressure. */
export function settleSoon(): void {
  setTimeout(() => {
    let held = collected();
    let worked = cpuMicroseconds();
    setInterval(() => {
      const now = cpuMicroseconds();
      const idle = now - worked < IDLE_MICROSECONDS;
      worked = now;
      if (!idle || heapBytes() < held + WORTH_BYTES) return;
      held = collected();
      worked = cpuMicroseconds();
    }, LOOK_MS).unref();
  }, SETTLED_MS).unref();
}

/** @returns bytes that are left. */
function collected(): number {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
  return heapBytes();
}

function heapBytes(): number {
  const { total_physical_size: heap, external_memory: beside } = getHeapStatistics();
  return heap + beside;
}

function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}
