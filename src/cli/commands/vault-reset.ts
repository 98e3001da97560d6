import { existsSync } from "node:fs";
import { Command } from "commander";
import * as z from "zod/mini";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { chooseProtector, ProtectOption } from "../new-protector.ts";
import { fail } from "../reach.ts";
import { refuseWhileRunning, typedWord } from "../typed-word.ts";
import { replacedText } from "./vault-backup.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  confirm: z.optional(z.string()),
  protect: ProtectOption,
});

export function vaultResetCommand(context: Context): Command {
  return new Command("reset")
    .summary("begin an empty vault where nothing opens the one there is")
    .description(
      "Every credential is enrolled again. The old vault and its log are kept, read-only; the new log names the old one, and says that its content cannot be read any more.",
    )
    .option("--protect <by>", "keychain or passphrase; the keychain where one works, if left out")
    .option("--confirm <word>", "reset, where there is no terminal")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.safeParse(options);
        const how = "wirken vault reset";
        if (!parsed.success)
          throw usage("a vault is protected by the keychain or by a passphrase", `${how} --protect keychain`);
        const { json, confirm, protect } = parsed.data;
        await refuseWhileRunning(context, "vault");
        if (!existsSync(context.home.vault))
          throw new CommandError(EXIT.notReady, "there is no vault here", "it begins with: wirken start");
        await typedWord(
          context,
          "reset",
          "everything in the vault is given up: credentials are enrolled again, and what was said so far cannot be read any more",
          confirm,
        );
        const { resetOffline } = await import("../../supervisor/offline-vault.ts");
        const protector = await chooseProtector(context, protect, how);
        const replaced = await resetOffline(context.home, protector).catch((error: unknown) => fail(error));
        context.terminal.print(json ? JSON.stringify(replaced) : replacedText(replaced));
        return EXIT.ok;
      }),
    );
}
