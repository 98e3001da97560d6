import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { personOf } from "../person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { reasonOf } from "../reason.ts";
import { erasedText } from "./audit-erase.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  export: z.optional(z.string().check(z.minLength(1))),
  erase: z._default(z.boolean(), false),
  reason: z.optional(z.string()),
});

export function peopleRemoveCommand(context: Context): Command {
  return new Command("remove")
    .summary("take a person's access away, with all that hangs on it")
    .description(
      "In one step: their turns end, what waits for an approval is withdrawn, approvals that are remembered for them or that they gave do not hold any more,\n" +
        "their schedules pause, and where the page was theirs its logins close. What they write from then on is a stranger's.",
    )
    .argument("<person>", "id or name, as in: wirken people list")
    .option(
      "--export <dir>",
      "first write what is theirs into a folder that is not there yet: all that --erase would take out",
    )
    .option("--erase", "then erase what they wrote and who they are, as wirken audit erase does; it cannot be undone")
    .option("--reason <text>", "why it is erased; it stands in the log")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nThe last owner stays: exit status ${EXIT.refused}.`)
    .action((who: string, options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const reason = parsed.erase ? await reasonOf(context, parsed.reason, "why is it erased? ") : null;
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const principal = personOf(who, people);
        // Nothing is taken away before what was asked for is in somebody's hands.
        const exported =
          parsed.export === undefined
            ? null
            : await operator.call({ call: "people.export", principal, out: resolve(parsed.export) });
        const removed = await operator.call({ call: "people.remove", principal });
        const target = { subject: "principal", principal } as const;
        const erased = reason === null ? null : await operator.call({ call: "audit.erase", target, reason });
        context.terminal.print(
          parsed.json
            ? JSON.stringify({ ...removed, exported, erased })
            : [
                ...(exported === null ? [] : [exportedText(exported)]),
                removedText(removed),
                ...(erased === null ? [] : [erasedText(erased)]),
              ].join("\n"),
        );
        if (!parsed.json && erased === null)
          context.terminal.say(
            `hint: what they wrote stays; hand it out or erase it: wirken people export ${principal} --out DIR, wirken audit erase --principal ${principal}`,
          );
        return EXIT.ok;
      }),
    );
}

/** What an export of a person says. */
export function exportedText({ out, rows, bytes, digest }: AnswerTo<"people.export">): string {
  return `written: ${printable(out)}/content.jsonl, ${rows} rows, ${bytes} bytes, SHA-256 ${digest}`;
}

/** What `people remove` and `pair revoke` say. */
export function removedText(removed: AnswerTo<"people.remove">): string {
  const { principal, name, row, turns, approvals, grants, schedules, logins, credentials, local } = removed;
  const ended = [
    some(turns, "turn was ended", "turns were ended"),
    some(approvals, "request was withdrawn", "requests were withdrawn"),
    some(grants, "remembered approval is void", "remembered approvals are void"),
    some(schedules, "schedule is paused", "schedules are paused"),
    some(logins, "login on the page was closed", "logins on the page were closed"),
  ].filter((text) => text !== "");
  return [
    `removed: ${printable(name)} (${principal}), row #${row}`,
    ended.length === 0 ? "nothing of theirs ran or was remembered" : ended.join(", "),
    ...(local === null ? [] : [`the terminal and the page act as ${printable(local)} from now on`]),
    ...(credentials.length === 0 ? [] : ["they enrolled, and may know:"]),
    ...credentials.map(({ scope, rotate }) => `- ${scope}; replace it with: ${rotate}`),
  ].join("\n");
}

function some(n: number, one: string, many: string): string {
  if (n === 0) return "";
  return n === 1 ? `1 ${one}` : `${n} ${many}`;
}
