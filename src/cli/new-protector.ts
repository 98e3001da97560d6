import * as z from "zod/mini";
import { copyOf } from "../../vault/secret.ts";
import { usage } from "./command-error.ts";
import type { Context } from "./context.ts";
import { newPassphrase } from "./new-passphrase.ts";

export const ProtectOption = z.optional(z.enum(["keychain", "passphrase"]));

/** What is to protect a vault from now on. */
export type NewProtector = { readonly kind: "keychain" } | { readonly kind: "passphrase"; readonly bytes: Uint8Array };

/** The protector that was named, or the keychain where one works; else a passphrase is asked for. @param how the command, as typed.
 *  @throws {CommandError} where there is none and nobody can be asked. */
export async function chooseProtector(
  { terminal, environment }: Context,
  named: z.infer<typeof ProtectOption>,
  how: string,
): Promise<NewProtector> {
  const { passphraseFrom, probeKeychain } = await import("../supervisor/offline-vault.ts");
  using given = passphraseFrom(environment);
  if (given !== null && named !== "keychain") return { kind: "passphrase", bytes: given.use((bytes) => copyOf(bytes)) };
  if (named === "keychain" || (named === undefined && (await probeKeychain()) === "works")) return { kind: "keychain" };
  if (!terminal.interactive)
    throw usage(
      "there is no keychain here, and no terminal to ask for a passphrase on",
      `give one in WIRKEN_VAULT_PASSPHRASE_FILE, and run ${how} again`,
    );
  return { kind: "passphrase", bytes: await newPassphrase(terminal, { stdin: false, file: null }) };
}
