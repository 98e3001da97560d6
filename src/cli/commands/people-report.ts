import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { pointInTime } from "../point-in-time.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false), at: z.optional(z.string().check(z.maxLength(64))) });

export function peopleReportCommand(context: Context): Command {
  return new Command("report")
    .summary("people, roles and remembered approvals as they were at a time")
    .description("Made from the rows up to then, not from what holds today.")
    .option("--at <time>", "2026-11-28, 2026-11-28T14:03, or 3d ago; now if left out")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, at } = Options.parse(options);
        const time = at === undefined ? null : pointInTime(at, "--at", Date.now());
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "people.report", at: time });
        context.terminal.print(json ? JSON.stringify(answer) : peopleText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `people report` says. */
export function peopleText({ at, seq, people, grants }: AnswerTo<"people.report">): string {
  if (people.length === 0) return `nobody was let in at ${moment(at)}`;
  const nameOf = (principal: string): string => {
    const person = people.find((one) => one.principal === principal);
    return person === undefined ? principal : (person.name ?? `${principal} (name erased)`);
  };
  const parts = [
    `as of ${moment(at)}, row #${seq}`,
    table(
      ["person", "role", "name", "since", "let in by", "channels", "row"],
      people.map(({ principal, role, name, since, by, via, channels, row }) => [
        principal,
        role,
        name ?? "(erased)",
        moment(since),
        by === principal ? `themselves, ${viaOf(via)}` : `${nameOf(by)}, ${viaOf(via)}`,
        channels.join(", ") || "-",
        `#${row}`,
      ]),
    ),
  ];
  if (grants.length === 0) return [...parts, "no approval was remembered"].join("\n\n");
  return [
    ...parts,
    table(
      ["remembered", "for", "agent", "where", "until", "by", "row"],
      grants.map(({ key, principal, agent, channel, session, until, by, via, row }) => [
        key,
        nameOf(principal),
        agent,
        session === null ? channel : `${channel}, one session`,
        moment(until),
        `${nameOf(by)}, ${viaOf(via)}`,
        `#${row}`,
      ]),
    ),
  ].join("\n\n");
}

function viaOf(via: string): string {
  return via === "web" ? "page" : via;
}
