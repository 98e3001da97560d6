import { parentPort, workerData } from "node:worker_threads";
import { openLive } from "./evidence.ts";
import { checkSpan, type Span, type SpanFound } from "./span.ts";

/** The thread that {@link checkInThreads} starts: it is given the path of a log, then one span after the other. */

const path: unknown = workerData;
const evidence = typeof path === "string" ? openLive(path) : null;

function answer(span: Span): SpanFound | null {
  if (evidence === null || "code" in evidence) return null;
  try {
    return checkSpan(evidence.database, span);
  } catch {
    // What it is, one thread finds when it comes by there.
    return null;
  }
}

const port = parentPort;
// A thread's port has no origin.
// oxlint-disable-next-line unicorn/require-post-message-target-origin
port?.on("message", (span: Span) => port.postMessage(answer(span)));
