import { Worker } from "node:worker_threads";
import { THREAD_LIMITS } from "./threads.ts";

/** Starts a thread from the sources, for who has them: the executable has its own way. */
export function startThread(path: string): Worker {
  return new Worker(new URL("./span-thread.ts", import.meta.url), { workerData: path, resourceLimits: THREAD_LIMITS });
}
