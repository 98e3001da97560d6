import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Stream } from "node:stream";
import type { Role } from "../confine/role.ts";
import { environmentFor } from "./environment.ts";
import { type Image, ownImage } from "./own-image.ts";

/** What is started. */
export interface ProcessSpec {
  readonly role: Role;
  /** Words behind the role, such as `telegram`: everybody on the machine can read them. */
  readonly args?: readonly string[];
  /** Descriptors from 4 on. */
  readonly extraStdio?: readonly ("pipe" | Stream)[];
  /** A file with further certificates to trust, for a process that speaks TLS. */
  readonly certificates?: string | null;
  /** What is started: our own image if not given. */
  readonly image?: Image;
}

/** Starts a process of our own executable in a role, with a minimal environment and its pipe as descriptor 3. It is small on purpose: what is
 *  started before the daemon's own code is loaded is started with this alone.
 *  @returns what was started, or why nothing was: it throws nothing. */
export function startProcess(spec: ProcessSpec): ChildProcess | Error {
  const image = spec.image ?? ownImage();
  const stdio: StdioOptions = ["ignore", "pipe", "pipe", "pipe", ...(spec.extraStdio ?? [])];
  try {
    const started = spawn(image.command, [...image.args, spec.role, ...(spec.args ?? [])], {
      stdio,
      env: environmentFor(spec.role, process.env, spec.certificates),
      windowsHide: true,
    });
    // Nobody may be listening yet: without a listener it would end this process.
    started.on("error", () => undefined);
    return started;
  } catch (error) {
    // No memory, no more processes: some of these come as an event, some are thrown.
    return error instanceof Error ? error : new Error(String(error));
  }
}
