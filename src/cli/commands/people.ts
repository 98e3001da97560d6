import { Command } from "commander";
import * as z from "zod/mini";
import { Role } from "../../ipc/operator.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { personOf } from "../person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";
import { peopleLinkCommand, peopleUnlinkCommand } from "./people-link.ts";
import { peopleRemoveCommand } from "./people-remove.ts";
import { peopleExportCommand, peopleTransferCommand } from "./people-transfer.ts";
import { peopleSameChannelCommand } from "./people-same-channel.ts";
import { peopleReportCommand } from "./people-report.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });

export function peopleCommand(context: Context): Command {
  return new Command("people")
    .summary("who was let in, and what they may do")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(role(context))
    .addCommand(peopleLinkCommand(context))
    .addCommand(peopleUnlinkCommand(context))
    .addCommand(peopleSameChannelCommand(context))
    .addCommand(peopleRemoveCommand(context))
    .addCommand(peopleTransferCommand(context))
    .addCommand(peopleExportCommand(context))
    .addCommand(peopleReportCommand(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("everybody who was let in")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        context.terminal.print(json ? JSON.stringify({ people }) : peopleTable(people));
        return EXIT.ok;
      }),
    );
}

/** What `people list` says. */
function peopleTable(people: AnswerTo<"pair.list">["people"]): string {
  return table(
    ["person", "role", "name", "channels"],
    people.map(({ principal, role: as, name, identities }) => [principal, as, name, placesOf(identities) || "-"]),
  );
}

function placesOf(identities: AnswerTo<"people.show">["identities"]): string {
  return identities
    .map(({ channel, name, id }) => (name === "" ? `${channel}:${id}` : `${channel}:${id} (${name})`))
    .join(", ");
}

function show(context: Context): Command {
  return new Command("show")
    .summary("one person: where they are known, and what they have in hand")
    .argument("<person>", "id or name, as in: wirken people list")
    .option("--json", "print one JSON object")
    .action((who: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const answer = await operator.call({ call: "people.show", principal: personOf(who, people) });
        context.terminal.print(json ? JSON.stringify(answer) : personText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `people show` says. */
export function personText(person: AnswerTo<"people.show">): string {
  const { principal, name, role: as, identities, turns, grants, given, schedules, credentials, local } = person;
  return [
    `person       ${principal}`,
    `name         ${printable(name)}`,
    `role         ${as}${local ? ", and the terminal and the page act as them" : ""}`,
    `known on     ${printable(placesOf(identities)) || "no channel"}`,
    `turns        ${turns === 0 ? "none runs" : `${turns} ${turns === 1 ? "runs" : "run"} now`}`,
    `remembered   ${counted(grants, "approval")} for them, ${counted(given, "approval")} that they gave to others`,
    `schedules    ${schedules}`,
    ...credentials.map(({ scope, rotate }) => `enrolled     ${scope}: ${rotate}`),
  ].join("\n");
}

function counted(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

function role(context: Context): Command {
  return new Command("role")
    .summary("what somebody may do from now on")
    .description("A user asks; an approver also decides what is asked for; an owner also changes people and settings.")
    .argument("<person>", "id or name, as in: wirken people list")
    .argument("<role>", "user, approver or owner")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nThe last owner stays the owner: exit status ${EXIT.refused}.`)
    .action((who: string, word: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const wanted = Role.safeParse(word);
        if (!wanted.success) throw usage(`${word} is no role`, "one of: user, approver, owner");
        await using operator = await reachOperator(context);
        const { people } = await operator.call({ call: "pair.list" });
        const answer = await operator.call({
          call: "people.role",
          principal: personOf(who, people),
          role: wanted.data,
        });
        context.terminal.print(json ? JSON.stringify(answer) : `${printable(answer.name)} is ${answer.role} now`);
        return EXIT.ok;
      }),
    );
}
