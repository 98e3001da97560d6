import type { Duplex } from "node:stream";
import type { Folder } from "./folder.ts";
import type { SetAside } from "./survey.ts";
import type { Limits } from "./limits.ts";

/** A command to be run in the sandbox. No shell reads it, unless argv names one. */
export interface Command {
  /** The workspace's directory on this machine. */
  readonly workspace: string;
  /** What else it sees, each under its name in the workspace; one that may be changed counts only with `write`. Not given: nothing. */
  readonly folders?: readonly Folder[];
  readonly argv: readonly string[];
  /** May it change the workspace? */
  readonly write: boolean;
  /** The workspace is a folder that nobody takes instructions or settings from: nothing in it is protected. Not given: what is protected is kept. */
  readonly unprotected?: true;
  readonly stdin: Uint8Array | null;
  readonly limits: Limits;
  /** `end`: one that writes more than `limits.output` is ended, and the first of it kept. Not given: it goes on, the first half and the last are kept. */
  readonly flood?: "end";
  /** Which sandbox it was decided for: in another it does not run. Not given: whichever stands. */
  readonly sandbox?: "works" | "weaker";
  /** Its way to what it may reach; without one it reaches nothing. */
  readonly way?: Way;
  /** What keeps a copy of what the command may change: begun and ended while nothing else writes to the workspace. Only for one that writes. */
  readonly keeping?: { readonly begin: () => Promise<void>; readonly end: () => Promise<void> };
  /** Is given the way to a process of it (null before there is one), once it is started. */
  readonly began?: (pid: () => number | null) => void;
  /** Is given the way to what it wrote so far, once it runs. */
  readonly live?: (now: () => { readonly stdout: Output; readonly stderr: Output }) => void;
  /** Called immediately before it starts, when nothing else writes to the workspace any more; what it throws keeps it from starting. */
  readonly before?: () => void;
}

/** A command's way out: a proxy on its own loopback, which programs are pointed at by their environment. */
export interface Way {
  /** The bare end of a lane, untouched. It is the command's from then on, and is destroyed here. */
  readonly lane: Duplex;
  /** The executable whose role `relay` is that proxy. */
  readonly executable: string;
}

/** Why a command ended. `exited`: by itself. Everything else killed it, with all it had started. */
export type EndReason = "exited" | "stopped" | "time" | "memory" | "processes" | "output" | "disk";

/** What came through a pipe. */
export interface Output {
  /** At most `limits.output` of it: the first half and the last, where it is more. */
  readonly bytes: Uint8Array;
  /** Bytes between the two that were read and not kept. */
  readonly left: number;
}

export interface CommandEnd {
  readonly reason: EndReason;
  /** The exit status; 128 and the signal's number if a signal ended it; null if we killed it. */
  readonly status: number | null;
  /** At most `limits.output` bytes each: the first half and the last, where there were more. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** Bytes between those halves that were not kept. */
  readonly left: { readonly stdout: number; readonly stderr: number };
  /** Protected files that it made or replaced, and where they were moved. */
  readonly setAside: readonly SetAside[];
  readonly milliseconds: number;
}

/** A command that could not be run at all: nothing of it ran. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
  readonly code: "SANDBOX_UNAVAILABLE";
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = "SANDBOX_UNAVAILABLE";
  }
}
