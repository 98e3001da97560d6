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

/** Something of this machine that a service sees at a path of its own. */
export interface Shown {
  /** Where it is, links resolved. */
  readonly path: string;
  /** Where the service sees it. */
  readonly at: string;
  readonly write: boolean;
}

/** A program that goes on, and that somebody else speaks to. */
export interface Service {
  /** Its own directory: it may change that, and nobody takes instructions or settings from there. */
  readonly workspace: string;
  readonly argv: readonly string[];
  /** Besides the workspace. None of it is above the data directory or in it. */
  readonly shown: readonly Shown[];
  /** Besides what every command has. It is in no command line. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  /** Files in memory, below {@link SECRETS}, by name: wiped when it was started. */
  readonly secrets: readonly { readonly name: string; readonly bytes: Uint8Array }[];
  /** What it can read once from a descriptor of that number, from 20 on: at most 4 KiB, wiped likewise. */
  readonly open: readonly { readonly descriptor: number; readonly bytes: Uint8Array }[];
  /** Of these memory, processes, and what one process may have; it may run for ever. */
  readonly limits: Limits;
  readonly way?: Way;
  /** Its input and output in one, and what it writes as errors: bare ends of pipes to whoever speaks to it, untouched. They are destroyed here. */
  readonly spoken: Duplex;
  readonly errors: Duplex;
  /** Called immediately before it starts; what it throws keeps it from starting. */
  readonly before?: () => void;
  /** Is given the way to a process of it, once it is started. */
  readonly began?: (pid: () => number | null) => void;
}

/** Where a service has its secrets. */
export const SECRETS = "/run/secrets";

export interface ServiceEnd {
  readonly reason: "exited" | "stopped" | "memory" | "processes" | "disk";
  /** See {@link CommandEnd.status}. */
  readonly status: number | null;
  readonly milliseconds: number;
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
