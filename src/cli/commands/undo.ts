import { Command } from "commander";
import * as z from "zod/mini";
import { TurnId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  force: z._default(z.boolean(), false),
  preview: z._default(z.boolean(), false),
});

export function undoCommand(context: Context): Command {
  return new Command("undo")
    .summary("take back what a turn did to files, its commands included")
    .description(
      "Files that were changed since are named and left alone, unless --force. What cannot be taken back (messages, requests, files above 4 MiB, or beyond 32 MiB " +
        "before one command) is listed. Copies are kept for the days of retention.undo in config.json. Without a turn, those are listed of which there are copies.",
    )
    .argument("[turn]", "its id, as in: wirken undo, or wirken audit log; last is the newest of them")
    .option("--preview", "only say what would be done")
    .option("--force", "also put back what was changed since")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if something was left as it is.`)
    .action((given: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, force, preview } = Options.parse(options);
        await using operator = await reachOperator(context);
        if (given === undefined || given === "last") {
          const list = await operator.call({ call: "undo.list" });
          if (given === undefined) {
            if (json) context.terminal.print(JSON.stringify(list));
            else if (list.turns.length === 0) context.terminal.say("no turn changed a file");
            else context.terminal.print(turnsTable(list.turns));
            return EXIT.ok;
          }
          const [newest] = list.turns;
          if (newest === undefined) throw usage("no turn changed a file", "there is nothing to take back");
          given = newest.turn;
        }
        const turn = TurnId.safeParse(given);
        if (!turn.success) throw usage("that is not a turn's id", "it begins with t_: wirken undo lists them");
        const answer = await operator.call({ call: "undo", turn: turn.data, force, preview });
        context.terminal.print(json ? JSON.stringify(answer) : undoText(answer, preview));
        return answer.files.some(({ state }) => state === "conflict" || state === "failed") ? EXIT.bad : EXIT.ok;
      }),
    );
}

function turnsTable(turns: AnswerTo<"undo.list">["turns"]): string {
  return table(
    ["turn", "at", "agent"],
    turns.map(({ turn, at, agent }) => [turn, moment(at), agent]),
  );
}

/** What `undo` says. */
export function undoText({ files, beyond, before, row }: AnswerTo<"undo">, preview: boolean): string {
  const done = { restored: preview ? "would be put back" : "put back", "as it was": "is as it was" };
  const lines = files.map(({ path, state, why }) => {
    const word = state === "restored" || state === "as it was" ? done[state] : `NOT put back (${state})`;
    return printable(`${word}: ${path}${why === null ? "" : `, ${why}`}`);
  });
  if (files.length === 0) lines.push("this turn changed no file that can be put back");
  if (before > 0) lines.push(`it was taken back ${before === 1 ? "once" : `${before} times`} before`);
  if (beyond.length > 0) lines.push("cannot be taken back:", ...beyond.map((sentence) => printable(`  ${sentence}`)));
  if (row !== null) lines.push(`recorded as row #${row}`);
  return lines.join("\n");
}
