import { Command } from "commander";
import * as z from "zod/mini";
import { ScheduleId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import type { OperatorPort } from "../operator-port.ts";
import { agentOf, channelOf, placedPerson } from "../placed-person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Add = z.extend(Json, {
  to: z._default(z.string(), "web"),
  as: z.optional(z.string()),
  agent: z._default(z.string(), "default"),
  zone: z.optional(z.string()),
});

type Schedule = AnswerTo<"schedule.add">;

export function scheduleCommand(context: Context): Command {
  return new Command("schedule")
    .summary("what agents do at certain times")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(add(context))
    .addCommand(change(context, "pause", "have it not begin again until it is resumed"))
    .addCommand(change(context, "resume", "have it go on"))
    .addCommand(change(context, "remove", "have it never begin again"))
    .addCommand(change(context, "run", "do it once, now"));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("all of them, and when each comes next")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "schedule.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.schedules.length === 0) context.terminal.say("nothing is scheduled");
        else context.terminal.print(scheduleTable(answer.schedules));
        return EXIT.ok;
      }),
    );
}

/** What `schedule list` says. */
function scheduleTable(schedules: readonly Schedule[]): string {
  return table(
    ["schedule", "when", "for", "answers on", "next", "last", "what"],
    schedules.map((one) => [
      one.schedule,
      `${one.cron} ${one.zone}`,
      one.owner ?? one.principal,
      one.channel,
      nextOf(one),
      lastOf(one),
      one.text.length <= 40 ? one.text : `${one.text.slice(0, 40).toWellFormed()}…`,
    ]),
  );
}

function nextOf({ paused, running, next }: Schedule): string {
  if (paused !== null) return PAUSED[paused];
  const [first] = next;
  const when = first === undefined ? "never" : moment(first);
  return running ? `${when} (runs now)` : when;
}

function lastOf({ last }: Schedule): string {
  return last === null ? "never" : `${moment(last.at)}${last.ending === null ? "" : ` (${last.ending})`}`;
}

const PAUSED = {
  asked: "paused",
  failures: "paused: it failed too often",
  removed: "paused: whose it is was removed",
} as const;

function show(context: Context): Command {
  return new Command("show")
    .summary("one of them, whole, and its last runs")
    .argument("<schedule>", "its id, as in: wirken schedule list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const schedule = scheduleOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "schedule.show", schedule });
        context.terminal.print(json ? JSON.stringify(answer) : shownText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `schedule show` says. */
function shownText(shown: AnswerTo<"schedule.show">): string {
  return [
    scheduleText(shown),
    ...shown.runs.map(({ at, due, what, ending, row }) =>
      what === "missed"
        ? `missed     ${moment(due)} (${ending}), row #${row}`
        : `run        ${moment(at)}, ${what === "asked" ? "asked for" : `due ${moment(due)}`}: ${ending ?? "runs"}, row #${row}`,
    ),
  ].join("\n");
}

/** One schedule, whole. */
function scheduleText(one: Schedule): string {
  return [
    `schedule   ${one.schedule}`,
    `when       ${one.cron}, in ${one.zone}`,
    `does       ${printable(one.text)}`,
    `for        ${printable(one.owner ?? one.principal)}, by agent ${one.agent}`,
    `answers    on ${one.channel}${one.talk === null ? "" : ` (${one.talk})`}`,
    ...(one.paused === null ? one.next.map((at) => `next       ${moment(at)}`) : [`next       ${PAUSED[one.paused]}`]),
    `last       ${lastOf(one)}${one.failures === 0 ? "" : `, ${one.failures} failed in a row`}`,
  ].join("\n");
}

function add(context: Context): Command {
  return new Command("add")
    .summary("have an agent do something at certain times")
    .description(
      "It is done with your authority, as a turn in the conversation where it is answered. Nobody is there to ask then: what is asked for every time is refused, and what is asked once is done only\n" +
        "where an approval is remembered (wirken grants add). A run may cost 1 USD. One that was missed is made up for within an hour, once; after three failures in a row it pauses.",
    )
    .argument(
      "<when>",
      '"every weekday at 9", "every day at 18:30", "every 2 hours", or a cron expression: "30 18 * * *"',
    )
    .argument("<what>", "what is to be done, as you would write it to the agent")
    .option(
      "--to <channel>",
      "where it is answered: web, terminal, or a channel that you write on, such as telegram",
      "web",
    )
    .option("--as <who>", "for somebody else, answered there: channel:person, such as telegram:Ada")
    .option("--agent <name>", "which agent does it", "default")
    .option("--zone <name>", "the time zone of its times; this machine's if left out")
    .option("--json", "print one JSON object")
    .action((when: string, what: string, options: unknown) =>
      context.run(async () => {
        const parsed = Add.parse(options);
        if (what.trim() === "")
          throw usage("there is nothing to do", 'write it behind the times: "Summarise my notes"');
        await using operator = await reachOperator(context);
        const { principal, channel } = await placedPerson(operator, parsed.as);
        const answer = await operator.call({
          call: "schedule.add",
          times: when,
          zone: parsed.zone ?? null,
          text: what,
          agent: agentOf(parsed.agent),
          principal,
          channel: parsed.as === undefined ? channelOf(parsed.to) : channel,
        });
        context.terminal.print(parsed.json ? JSON.stringify(answer) : scheduleText(answer));
        return EXIT.ok;
      }),
    );
}

type Change = "pause" | "resume" | "remove" | "run";

function change(context: Context, word: Change, summary: string): Command {
  return new Command(word)
    .summary(summary)
    .argument("<schedule>", "its id, as in: wirken schedule list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const schedule = scheduleOf(text);
        await using operator = await reachOperator(context);
        const answer = await changed(operator, word, schedule);
        context.terminal.print(json ? JSON.stringify(answer) : `${DONE[word]}: ${printable(answer.text)}`);
        return EXIT.ok;
      }),
    );
}

async function changed(operator: OperatorPort, word: Change, schedule: ScheduleId): Promise<Schedule> {
  switch (word) {
    case "pause":
      return await operator.call({ call: "schedule.pause", schedule });
    case "resume":
      return await operator.call({ call: "schedule.resume", schedule });
    case "remove":
      return await operator.call({ call: "schedule.remove", schedule });
    case "run":
      return await operator.call({ call: "schedule.run", schedule });
  }
}

const DONE: Readonly<Record<Change, string>> = {
  pause: "paused",
  resume: "goes on",
  remove: "removed",
  run: "begun",
};

function scheduleOf(text: string): ScheduleId {
  const id = ScheduleId.safeParse(text);
  if (!id.success) throw usage("that is not a schedule's id", "it begins with sc_: wirken schedule list");
  return id.data;
}
