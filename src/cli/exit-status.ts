import type { OperatorFailure } from "../ipc/operator.ts";

/** What a command ends with: the same for every command, so that a script can switch on it. */
export const EXIT = {
  /** Done, and the answer is good. */
  ok: 0,
  /** Done, and the answer is bad: a log is broken, a check failed. */
  bad: 1,
  /** Used wrongly: usage, missing input, no terminal to ask on. */
  usage: 2,
  /** Not ready: the vault is locked, the daemon is not running, nothing is configured. */
  notReady: 3,
  /** Refused by policy. */
  refused: 4,
  /** A bug of ours. */
  bug: 70,
} as const;
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

export function statusOf(code: OperatorFailure["code"]): ExitStatus {
  switch (code) {
    case "usage":
    case "not-found":
      return EXIT.usage;
    case "not-ready":
    case "locked":
    case "stopped":
      return EXIT.notReady;
    case "refused":
      return EXIT.refused;
    case "bad-answer":
      return EXIT.bad;
    case "bug":
      return EXIT.bug;
  }
}
