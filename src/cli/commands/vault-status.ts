import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { pairs } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function vaultStatusCommand(context: Context): Command {
  return new Command("status")
    .summary("what protects the vault, and whether it is open")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.notReady} if the vault is not open.`)
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const status = await operator.call({ call: "vault.status" });
        context.terminal.print(json ? JSON.stringify(status) : vaultText(status));
        return status.state === "open" ? EXIT.ok : EXIT.notReady;
      }),
    );
}

/** What the vault's commands say at their end. */
export function vaultText({ state, protector, keychain, recovery, sentence }: AnswerTo<"vault.status">): string {
  const text = pairs([
    ["vault", state],
    ["protected by", protector === "none" ? "nothing yet" : `the ${protector}`],
    ["keychain here", keychain],
    ["recovery phrase", recovery === null ? "not known while it is locked" : recovery ? "made" : "none yet"],
  ]);
  return `${text}\n\n${sentence}`;
}
