import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** By then a child has loaded its code and connected to its platform. */
const SETTLED_MS = 2_500;

/** Gives back what a start leaves behind: a child that then waits for hours would hold it until its heap is next under pressure. */
export function settleSoon(): void {
  setTimeout(() => {
    setFlagsFromString("--expose-gc");
    const collect: unknown = runInNewContext("gc");
    setFlagsFromString("--no-expose-gc");
    if (typeof collect === "function") collect({ type: "major", execution: "sync", flavor: "last-resort" });
  }, SETTLED_MS).unref();
}
