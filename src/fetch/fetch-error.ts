import type { FetchFailure } from "../ipc/fetch-frames.ts";

/** Why a request came to nothing, in a sentence for the model. It quotes nothing that a server said. */
export class FetchError extends Error {
  override readonly name = "FetchError";
  readonly code: FetchFailure;
  constructor(code: FetchFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
