import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { copyOf, Secret } from "../../vault/secret.ts";
import { OperatorError } from "./operator-error.ts";
import { takeVariable } from "./own-environment.ts";

const MAX_BYTES = 4096;

/** The passphrase as headless machines give it: `WIRKEN_VAULT_PASSPHRASE_FILE`, or `WIRKEN_VAULT_PASSPHRASE`, which is read once and taken
 *  out of the environment (see {@link takeVariable}), so that no child inherits it and nobody reads it in `/proc`. @returns null when neither is set. @throws {OperatorError} for a file of no use. */
export function passphraseFrom(environment: NodeJS.ProcessEnv): Secret | null {
  const direct = takeVariable(environment, "WIRKEN_VAULT_PASSPHRASE");
  const file = environment["WIRKEN_VAULT_PASSPHRASE_FILE"];
  delete environment["WIRKEN_VAULT_PASSPHRASE_FILE"];
  if (file === undefined || file === "") return direct;
  direct?.[Symbol.dispose]();
  return fromFile(file);
}

function fromFile(path: string): Secret {
  try {
    const descriptor = openSync(path, constants.O_RDONLY);
    try {
      const { size } = fstatSync(descriptor);
      if (size === 0 || size > MAX_BYTES)
        throw new OperatorError(
          "usage",
          `${path} holds no passphrase: it has ${size} bytes, and may have 1 to ${MAX_BYTES}`,
        );
      const bytes = new Uint8Array(new ArrayBuffer(size));
      readSync(descriptor, bytes);
      const end = bytes.at(-1) === 0x0a ? size - 1 : size;
      const secret = Secret.take(copyOf(bytes.subarray(0, end)));
      bytes.fill(0);
      return secret;
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    throw new OperatorError("usage", `cannot read the passphrase file ${path}`, "check WIRKEN_VAULT_PASSPHRASE_FILE", {
      cause,
    });
  }
}
