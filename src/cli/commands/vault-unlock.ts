import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { needDaemon } from "../reach.ts";
import { refuseSecretArguments, SecretOptions, takesSecret } from "../secret-options.ts";
import { vaultPassphrase } from "../vault-passphrase.ts";
import { vaultText } from "./vault-status.ts";

const Options = z.extend(SecretOptions, { json: z._default(z.boolean(), false) });

export function vaultUnlockCommand(context: Context): Command {
  const command = new Command("unlock")
    .summary("give the running daemon the passphrase, or let it try the keychain again")
    .option("--json", "print one JSON object");
  return takesSecret(command).action((options: unknown) =>
    context.run(async () => {
      const how = "wirken vault unlock";
      refuseSecretArguments(command, 0, how);
      const { json, ...given } = Options.parse(options);
      await using daemon = await needDaemon(context);
      const before = await daemon.call({ call: "vault.status" });
      const payload =
        before.protector === "passphrase" && before.state !== "open"
          ? await vaultPassphrase(context.terminal, given, how)
          : new Uint8Array(0);
      const status = await daemon.call({ call: "vault.unlock" }, { payload });
      context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
      return status.state === "open" ? EXIT.ok : EXIT.notReady;
    }),
  );
}
