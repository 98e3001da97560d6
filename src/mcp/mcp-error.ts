import type { McpFailure } from "../ipc/mcp-frames.ts";

/** Why something came to nothing, in a sentence for the model and for people. */
export class McpProcessError extends Error {
  override readonly name = "McpProcessError";
  readonly code: McpFailure;
  constructor(code: McpFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
