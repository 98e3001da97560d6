import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { refuseSecretArguments, SecretOptions, takesSecret } from "../secret-options.ts";
import { vaultPassphrase } from "../vault-passphrase.ts";
import { enrolledScope } from "./vault-remove.ts";
import { vaultText } from "./vault-status.ts";

const Options = z.extend(SecretOptions, { json: z._default(z.boolean(), false) });

export function vaultRekeyCommand(context: Context): Command {
  const command = new Command("rekey")
    .summary("make a new master key, or a new key for one credential")
    .description(
      "Without a name: a new master in the keychain, or behind the same passphrase, and everything wrapped anew. With one: that credential is sealed anew, and its former key destroyed.",
    )
    .argument("[what]", "as in: wirken vault list")
    .option("--json", "print one JSON object");
  return takesSecret(command).action((what: string | undefined, options: unknown) =>
    context.run(async () => {
      const how = "wirken vault rekey";
      refuseSecretArguments(command, 1, how);
      const { json, ...given } = Options.parse(options);
      await using operator = await reachOperator(context);
      const scope = what === undefined ? null : await enrolledScope(operator, what);
      const { protector } = await operator.call({ call: "vault.status" });
      const payload =
        scope === null && protector === "passphrase"
          ? await vaultPassphrase(context.terminal, given, how)
          : new Uint8Array(0);
      const status = await operator.call({ call: "vault.rekey", scope }, { payload });
      context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
      return EXIT.ok;
    }),
  );
}
