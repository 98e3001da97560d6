import { Command } from "commander";
import * as z from "zod/mini";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { newPassphrase } from "../new-passphrase.ts";
import { reachOperator } from "../reach.ts";
import { refuseSecretArguments, SecretOptions, secretSource, takesSecret } from "../secret-options.ts";
import { vaultText } from "./vault-status.ts";

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
      const payload =
        protector.data === "keychain"
          ? new Uint8Array(0)
          : await newPassphrase(context.terminal, secretSource(given, context.terminal, how));
      await using operator = await reachOperator(context);
      const status = await operator.call({ call: "vault.protect", protector: protector.data }, { payload });
      context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
      return EXIT.ok;
    }),
  );
}
