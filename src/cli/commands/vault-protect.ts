import { Command } from "commander";
import * as z from "zod/mini";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { readSecret } from "../secret-input.ts";
import { refuseSecretArguments, SecretOptions, secretSource, takesSecret } from "../secret-options.ts";
import { vaultText } from "./vault-status.ts";

/** Shorter ones are guessed, however slow each guess is made. */
const MIN_PASSPHRASE_BYTES = 12;

const Options = z.extend(SecretOptions, { json: z._default(z.boolean(), false) });
const Protector = z.enum(["keychain", "passphrase"]);

export function vaultProtectCommand(context: Context): Command {
  const command = new Command("protect")
    .summary("move the vault behind the keychain, or behind a passphrase")
    .argument("<by>", "keychain or passphrase")
    .option("--json", "print one JSON object");
  return takesSecret(command).action((by: string, options: unknown) =>
    context.run(async () => {
      const protector = Protector.safeParse(by);
      if (!protector.success)
        throw usage("a vault is protected by the keychain or by a passphrase", "wirken vault protect keychain");
      const how = `wirken vault protect ${protector.data}`;
      refuseSecretArguments(command, 1, how);
      const { json, ...given } = Options.parse(options);
      const payload = protector.data === "keychain" ? new Uint8Array(0) : await newPassphrase(context, given, how);
      await using operator = await reachOperator(context);
      const status = await operator.call({ call: "vault.protect", protector: protector.data }, { payload });
      context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
      return EXIT.ok;
    }),
  );
}

async function newPassphrase(
  { terminal }: Context,
  given: z.infer<typeof SecretOptions>,
  how: string,
): Promise<Uint8Array> {
  const source = secretSource(given, terminal, how);
  if (source.stdin || source.file !== null) return longEnough(readSecret(source));
  terminal.say("nobody can open the vault without this passphrase: keep a copy where you keep such things");
  using keyboard = terminal.hide();
  const first = longEnough(await keyboard.ask("New passphrase (not shown): "));
  let same = false;
  try {
    const second = await keyboard.ask("Once more: ");
    same = Buffer.compare(first, second) === 0;
    second.fill(0);
  } finally {
    if (!same) first.fill(0);
  }
  if (!same) throw usage("the two differ", "nothing was changed: try again");
  return first;
}

/** @throws {CommandError} for a passphrase that is too short; it is wiped then. */
function longEnough(passphrase: Uint8Array): Uint8Array {
  if (passphrase.length >= MIN_PASSPHRASE_BYTES) return passphrase;
  passphrase.fill(0);
  throw usage(`a passphrase has at least ${MIN_PASSPHRASE_BYTES} characters`, "four or more random words are good");
}
