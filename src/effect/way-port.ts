import type { Way } from "../sandbox/command.ts";

/** For what a way out is opened: the recorded action. */
export interface WayFor {
  readonly call: string;
  /** The action's row: the cause of every verdict on its way. */
  readonly seq: number;
}

/** A command's way out, until it is ended. */
export interface OpenWay {
  readonly way: Way;
  /** The command is over, or was never run. */
  end(): void;
}

/** Where commands get their ways out. */
export interface WayPort {
  /** A way that leads to these hosts, on ports 443 and 80, and nowhere else. @throws {SandboxError} if there is none to be had. */
  open(hosts: readonly string[], what: WayFor): Promise<OpenWay>;
}
