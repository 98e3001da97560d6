import type { AnchorFailure } from "../ipc/anchor-frames.ts";

/** Why an anchor did not do what it was asked. The sentence quotes nothing it said. */
export class AnchorError extends Error {
  override readonly name = "AnchorError";
  readonly code: AnchorFailure;
  constructor(code: AnchorFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
