/** Why an answer to a card was not taken. */
export class ApprovalError extends Error {
  override readonly name = "ApprovalError";
  /** `not-allowed`: not by this person. `elsewhere`: not on this channel. `foreign`: the card was never sent there.
   *  `other-card`: they saw another one. `scope`: not for that long. */
  readonly code: "not-allowed" | "elsewhere" | "foreign" | "other-card" | "scope";
  constructor(code: ApprovalError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
