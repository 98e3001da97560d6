import type { EgressReason } from "../ipc/egress-frames.ts";

/** Why a connection is not made, or not kept. Its message is for nobody: the reason goes into the answer and the record. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: EgressReason;
  constructor(code: EgressReason, options?: ErrorOptions) {
    super(`refused: ${code}`, options);
    this.code = code;
  }
}

/** The HTTP status that a refusal is answered with. */
export function statusOf(reason: EgressReason): number {
  switch (reason) {
    case "unlisted":
    case "literal":
    case "private":
    case "server-name":
    case "withdrawn":
      return 403;
    case "malformed":
      return 400;
    case "busy":
      return 429;
    case "unresolved":
    case "unreachable":
      return 502;
    case "timeout":
      return 504;
  }
}
