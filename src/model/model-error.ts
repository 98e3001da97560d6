import type { CompletionFailure } from "../ipc/model-frames.ts";

/** Why there is no answer: a code to switch on and one sentence for the person, which never holds a key. */
export class ModelError extends Error {
  override readonly name = "ModelError";
  readonly code: CompletionFailure;
  /** Whether the same request may succeed a little later. */
  readonly passing: boolean;
  /** How long the provider asks to wait; null: it does not say. */
  readonly retryAfterMs: number | null;

  constructor(
    code: CompletionFailure,
    message: string,
    options: ErrorOptions & { passing?: boolean; retryAfterMs?: number | null } = {},
  ) {
    super(message, options);
    this.code = code;
    this.passing = options.passing ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** How deep a chain of causes is followed: a chain that somebody else made may be a circle. */
const MAX_CAUSES = 16;

/** Finds the error of ours inside what a library threw around it. */
export function modelErrorIn(error: unknown): ModelError | null {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && current instanceof Error; depth++) {
    if (current instanceof ModelError) return current;
    current = current.cause;
  }
  return null;
}
