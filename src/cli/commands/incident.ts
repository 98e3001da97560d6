import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { IncidentView } from "../../ipc/incident-calls.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { configuredProviders } from "../credential-options.ts";
import { enrolmentOf } from "../credential-name.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { reasonOf } from "../reason.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Open = z.extend(Json, { reason: z.optional(z.string()), out: z.optional(z.string()) });
const Close = z.extend(Json, { waive: z._default(z.array(z.string()), []) });

export function incidentCommand(context: Context): Command {
  return new Command("incident")
    .summary("when something may have leaked: stop, secure the record, replace every credential")
    .addCommand(open(context))
    .addCommand(show(context))
    .addCommand(close(context));
}

function open(context: Context): Command {
  return new Command("open")
    .summary("halt everything, sign, anchor and export the record, and say what is to be replaced where")
    .description(
      "Nothing runs until the incident is closed, through restarts too. What cannot be done at once (an export to a full disk, say) is told, and the incident is open all the same.",
    )
    .option("--reason <text>", "why; it stands in the log")
    .option(
      "--out <folder>",
      "where the record is exported to; a folder that is not there yet, in the current one if left out",
    )
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Open.parse(options);
        const reason = await reasonOf(context, parsed.reason, "what happened? ");
        const out = resolve(
          parsed.out ?? `wirken-incident-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}`,
        );
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "incident.open", reason, out });
        context.terminal.print(parsed.json ? JSON.stringify(answer) : openedText(answer));
        for (const problem of answer.problems) context.terminal.say(`wirken: ${printable(problem)}`);
        return answer.problems.length === 0 ? EXIT.ok : EXIT.bad;
      }),
    );
}

function show(context: Context): Command {
  return new Command("show")
    .summary("the incident that is open, and which credentials are still those of before")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "incident.show" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.open === null) context.terminal.say("no incident is open");
        else context.terminal.print(incidentText(answer.open));
        return EXIT.ok;
      }),
    );
}

function close(context: Context): Command {
  return new Command("close")
    .summary("go on, once every credential was replaced, or may stay for a reason that is recorded")
    .description(
      "A credential counts as replaced when a newer one was enrolled since and worked, or when it was removed.",
    )
    .option(
      "--waive <what=reason>",
      "let this credential stay; may be given again",
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.refused} while a credential is left.`)
    .action((options: unknown) =>
      context.run(async () => {
        const { json, waive } = Close.parse(options);
        const waived = waive.map((one) => waiverOf(one, context));
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "incident.close", waive: waived });
        context.terminal.print(
          json
            ? JSON.stringify(answer)
            : `${incidentText(answer)}\n\nclosed; ${answer.resumed ? "agents work again" : "what was halted before stays halted: wirken resume"}`,
        );
        return EXIT.ok;
      }),
    );
}

function waiverOf(text: string, context: Context): { scope: string; reason: string } {
  const at = text.indexOf("=");
  const reason = text.slice(at + 1).trim();
  if (at < 1 || reason === "")
    throw usage("a credential stays for a reason", 'such as --waive slack="a test workspace"');
  return { scope: enrolmentOf(text.slice(0, at), configuredProviders(context)).scope, reason };
}

/** What `incident open` says. */
export function openedText(answer: AnswerTo<"incident.open">): string {
  const { ended, checkpoint, exported } = answer;
  return [
    `everything is halted; ${ended === 0 ? "no turn ran" : `${ended} running ${ended === 1 ? "turn was" : "turns were"} ended`}`,
    ...(checkpoint === null ? [] : [`a checkpoint was signed over ${checkpoint} rows, and goes to every anchor`]),
    ...(exported === null
      ? []
      : [`the record is in ${printable(exported.out)}: ${exported.rows} rows, manifest SHA-256 ${exported.digest}`]),
    "",
    incidentText(answer),
    "",
    "revoke each at its platform, rotate it here, then: wirken incident close",
  ].join("\n");
}

/** The incident, and each credential with where it is revoked and how it is replaced. */
export function incidentText({ at, reason, credentials }: IncidentView): string {
  const head = `incident since ${moment(at)}: ${printable(reason ?? "[erased]")}`;
  if (credentials.length === 0) return `${head}\nno credential was enrolled`;
  return [
    head,
    "",
    table(
      ["credential", "account", "state", "rotate it with", "revoke it at"],
      credentials.map(({ scope, account, state, rotate, revoke }) => [
        scope.replace(/^(?:channel|provider)\//, ""),
        account ?? "-",
        state,
        rotate,
        revoke ?? "whoever issued it",
      ]),
    ),
  ].join("\n");
}
