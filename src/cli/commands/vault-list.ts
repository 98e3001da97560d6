import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function vaultListCommand(context: Context): Command {
  return new Command("list")
    .summary("what is enrolled; never a value")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "vault.list" });
        const { terminal } = context;
        if (json) terminal.print(JSON.stringify(answer));
        else if (answer.credentials.length > 0) terminal.print(credentialTable(answer));
        else
          terminal.say("wirken: nothing is enrolled\nhint: wirken vault add anthropic, or: wirken vault add telegram");
        if (!json) terminal.say(answer.status.sentence);
        return EXIT.ok;
      }),
    );
}

/** What `vault list` says. */
export function credentialTable({ credentials }: AnswerTo<"vault.list">): string {
  return table(
    ["for", "credentials", "version", "since", "checked", "account"],
    credentials.map(({ scope, names, version, created, checked, account }) => [
      scope.replace(/^(?:channel|provider)\//, ""),
      names.join(", "),
      String(version),
      moment(created),
      checked ? "yes" : "not yet",
      account ?? "-",
    ]),
  );
}
