import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { rowLines } from "../audit-row.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { seqOf } from "../whole-number.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function auditExplainCommand(context: Context): Command {
  return new Command("explain")
    .summary("why something happened, who allowed it, and what came of it")
    .description(
      "Follows the causes of a row back to the message of the person it was done for and to what allowed it, and on to its outcome, in sentences, with the rules, people and remembered approvals that held then.",
    )
    .argument("<row>", "its number")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        const seq = seqOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.explain", seq });
        context.terminal.print(json ? JSON.stringify(answer) : explainedText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `audit explain` says. */
export function explainedText({ chain, sentences, held }: AnswerTo<"audit.explain">): string {
  return [
    sentences.map((line) => printable(line)).join("\n"),
    ["what held then:", ...held.map((line) => `- ${printable(line)}`)].join("\n"),
    rowLines(chain),
  ].join("\n\n");
}
