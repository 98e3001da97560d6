import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });

export function auditKeyCommand(context: Context): Command {
  const show = new Command("show")
    .summary("the keys that sign the log, oldest first")
    .option("--json", "print one JSON object")
    .addHelpText("after", "\nGive an auditor the key by another way than the log: wirken audit verify --key takes it.")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.key.show" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else
          context.terminal.print(
            table(
              ["epoch", "signs sizes", "since", "protector", "key"],
              answer.epochs.map(({ epoch, from, to, since, protector, vkey }) => [
                String(epoch),
                to === null ? `above ${from}` : `${from + 1} to ${to}`,
                moment(since),
                protector,
                vkey,
              ]),
            ),
          );
        return EXIT.ok;
      }),
    );
  const rotate = new Command("rotate")
    .summary("hand the log to a new key and destroy the one before")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.key.rotate" });
        const { terminal } = context;
        terminal.print(json ? JSON.stringify(answer) : answer.vkey);
        terminal.say(
          `epoch ${answer.epoch} signs from here on; the checkpoint that hands over has ${answer.size} rows`,
        );
        if (!answer.pinned)
          terminal.say("note: the keychain was not reached: the key before is destroyed when the change can be pinned");
        for (const name of answer.witnesses)
          terminal.say(`anchor ${name}: awaiting new key; on its machine run wirken witness add-log ${answer.vkey}`);
        return EXIT.ok;
      }),
    );
  return new Command("key").summary("the keys that sign the log").addCommand(show).addCommand(rotate);
}
