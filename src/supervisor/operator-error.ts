import type { OperatorFailure } from "../ipc/operator.ts";

/** A call that is not done, in words for the person who made it. */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly code: OperatorFailure["code"];
  readonly hint: string | null;
  constructor(code: OperatorFailure["code"], sentence: string, hint: string | null = null, options?: ErrorOptions) {
    super(sentence, options);
    this.code = code;
    this.hint = hint;
  }
  /** @returns what is sent to the caller: any other error is a bug of ours and shows its name only. */
  static failure(error: unknown): OperatorFailure {
    if (error instanceof OperatorError)
      return { code: error.code, sentence: error.message.slice(0, 2000), hint: error.hint };
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : null;
    if (code !== null && code.startsWith("AUDIT_") && error instanceof Error) {
      return {
        code: "stopped",
        sentence: error.message.slice(0, 2000),
        hint: "nothing runs that cannot be recorded: free disk space, then try again",
      };
    }
    const name = error instanceof Error ? `${error.name}: ${error.message}` : "an unknown error";
    return {
      code: "bug",
      sentence: name.slice(0, 2000),
      hint: "this is a bug in wirken: please report it with the daemon's last lines",
    };
  }
}
