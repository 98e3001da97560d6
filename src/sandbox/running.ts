import type { Duplex } from "node:stream";
import type { Usage } from "./usage.ts";

/** One of a command's input and outputs: a descriptor, or this process's end of a pipe that nothing was read from. */
type End = number | "ignore" | Duplex;
/** A command's input and outputs. */
export type Stdio = readonly [End, End, End];

/** A command that was started, with all that it starts. */
export interface Running {
  /** Resolves when it and everything that it started are gone: the command's exit status, 128 and the signal's number for one that a signal ended;
   *  null if the command was never run, or was killed. Rejects if nothing could be started. */
  readonly over: Promise<number | null>;
  /** A process of it that is held as it is; null before there is one. */
  readonly pid: number | null;
  /** Kills all of it. */
  end(): void;
  /** What it uses now; null before it is there. @param exactAbove see {@link usageOf}. */
  usage(exactAbove: number): Usage | null;
}
