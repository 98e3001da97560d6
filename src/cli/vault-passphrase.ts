import type { z } from "zod/mini";
import { askedHidden, readSecret } from "./secret-input.ts";
import { type SecretOptions, secretSource } from "./secret-options.ts";
import type { Terminal } from "./terminal.ts";

/** The passphrase that the vault has, from where a command was told to take it or from the keyboard. The caller wipes it. @param how the way to type it. */
export async function vaultPassphrase(
  terminal: Terminal,
  given: z.infer<typeof SecretOptions>,
  how: string,
): Promise<Uint8Array> {
  const source = secretSource(given, terminal, how);
  return source.stdin || source.file !== null
    ? readSecret(source)
    : await askedHidden(terminal, "Passphrase of the vault (not shown): ");
}
