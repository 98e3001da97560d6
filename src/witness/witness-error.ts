/** Why a witness cannot be served, or not be changed as was asked. */
export class WitnessError extends Error {
  override readonly name = "WitnessError";
  /** `WITNESS_STATE`: the folder cannot be used. `WITNESS_INPUT`: what was given is not what it should be. `WITNESS_PORT`: the address is taken. */
  readonly code: "WITNESS_STATE" | "WITNESS_INPUT" | "WITNESS_PORT";
  constructor(code: WitnessError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
