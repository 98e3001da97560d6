/** Ends the prompt that is open; the command's own way of stopping goes on from there. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  readonly code = "INTERRUPTED";
}
