import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { targetOf } from "../erasure-target.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { reasonOf } from "../reason.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  session: z.optional(z.string()),
  principal: z.optional(z.string()),
  reason: z.optional(z.string()),
});

export function auditEraseCommand(context: Context): Command {
  return new Command("erase")
    .summary("erase what was said in a session, or a person; rows stay, and the log still verifies")
    .description(
      "Destroys the key of the content, deletes the content, and for a person also who they are. It cannot be undone. A running turn is ended first.",
    )
    .option("--session <id>", "one session")
    .option("--principal <id>", "one person, by id or name: all that they wrote, and who they are")
    .option("--reason <text>", "why; it stands in the log")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.refused} if a hold exempts it: wirken audit hold list`)
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const reason = await reasonOf(context, parsed.reason, "why is it erased? ");
        await using operator = await reachOperator(context);
        const target = await targetOf(operator, parsed);
        const answer = await operator.call({ call: "audit.erase", target, reason });
        context.terminal.print(parsed.json ? JSON.stringify(answer) : erasedText(answer));
        // The owner stays the owner, and nobody who was revoked is listed.
        const listed =
          target.subject === "principal" &&
          (await operator.call({ call: "pair.list" })).people.some(
            ({ principal, role }) => principal === target.principal && role !== "owner",
          );
        if (!parsed.json && target.subject === "principal" && listed)
          context.terminal.say(`hint: they are still listed, without a name: wirken pair revoke ${target.principal}`);
        return EXIT.ok;
      }),
    );
}

/** What `audit erase` says. */
export function erasedText({ sessions, parts, resealed, row, exports, unreachable }: AnswerTo<"audit.erase">): string {
  const files = exports.map(
    ({ at, digest, disclosure }) =>
      `- the export of ${at}, digest ${digest}${disclosure === "full" ? ", which has the text in it" : ""}`,
  );
  return [
    `erased: ${counted(parts, "piece")} of content, ${counted(sessions, "session")} with its key (row ${row})`,
    ...(resealed === 0
      ? []
      : [`sealed anew, because it shared a key with that: ${counted(resealed, "piece")} of others' content`]),
    "out of reach from here:",
    ...files,
    ...unreachable.map((sentence) => `- ${printable(sentence)}`),
  ].join("\n");
}

function counted(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
