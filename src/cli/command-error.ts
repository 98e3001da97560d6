import type { OperatorFailure } from "../ipc/operator.ts";
import { EXIT, type ExitStatus, statusOf } from "./exit-status.ts";

/** A command that ends without its answer: a sentence, what to do about it, and the status it ends with. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly status: ExitStatus;
  readonly hint: string | null;

  constructor(status: ExitStatus, sentence: string, hint: string | null = null, options?: ErrorOptions) {
    super(sentence, options);
    this.status = status;
    this.hint = hint;
  }

  static from(failure: OperatorFailure): CommandError {
    return new CommandError(statusOf(failure.code), failure.sentence, failure.hint);
  }
}

/** The command was used wrongly. */
export function usage(sentence: string, hint: string | null = null): CommandError {
  return new CommandError(EXIT.usage, sentence, hint);
}

export function notRunning(): CommandError {
  return new CommandError(EXIT.notReady, "the daemon is not running", "start it with: wirken start");
}
