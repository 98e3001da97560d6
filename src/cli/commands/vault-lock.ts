import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { needDaemon } from "../reach.ts";
import { vaultText } from "./vault-status.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function vaultLockCommand(context: Context): Command {
  return new Command("lock")
    .summary("have the running daemon forget what opens credentials, until it is unlocked")
    .description(
      "Channels and models that need a credential end. The log, the page and a local model go on, in the conversations that there are, and people are known as before: a new conversation, and somebody new, need the vault open.",
    )
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using daemon = await needDaemon(context);
        const status = await daemon.call({ call: "vault.lock" });
        context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
        return EXIT.ok;
      }),
    );
}
