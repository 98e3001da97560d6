/** This process could not be confined: it must exit, and whoever started it must be told. */
export class ConfineError extends Error {
  override readonly name = "ConfineError";
  /** `CONFINE_UNSTARTED`: started without the flags of flags.ts. `CONFINE_FAILED`: the system refused a wall, or one does not hold.
   *  `CONFINE_ORPHANED`: the supervisor is gone. `CONFINE_TWICE`: called out of turn. */
  readonly code: "CONFINE_UNSTARTED" | "CONFINE_FAILED" | "CONFINE_ORPHANED" | "CONFINE_TWICE";
  constructor(code: ConfineError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
