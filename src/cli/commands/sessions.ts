import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import { SessionId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { amount } from "../money.ts";
import { agentOf } from "../placed-person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { replayText } from "../replay-text.ts";
import { pairs, table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const List = z.extend(Json, { agent: z.optional(z.string()), limit: z._default(z.string(), "50") });
const Replay = z.extend(Json, { turn: z.optional(z.string()) });
const Export = z.extend(Json, { out: z.string() });

export function sessionsCommand(context: Context): Command {
  return new Command("sessions")
    .summary("conversations: what was said, what it cost, what a model was shown")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(replay(context))
    .addCommand(close(context))
    .addCommand(exportCommand(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("which there are, the newest first")
    .option("--agent <name>", "of one agent only")
    .option("--limit <n>", "so many at the most", "50")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, agent, limit } = List.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({
          call: "session.list",
          limit: numberOf(limit, "--limit", 1000),
          agent: agent === undefined ? null : agentOf(agent),
        });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.sessions.length === 0) context.terminal.say("nobody has talked with an agent yet");
        else {
          context.terminal.print(sessionTable(answer));
          const more = answer.all - answer.sessions.length;
          if (more > 0) context.terminal.say(`${more} older ${more === 1 ? "one is" : "ones are"} not shown: --limit`);
        }
        return EXIT.ok;
      }),
    );
}

/** What `sessions list` says. */
export function sessionTable({ sessions }: AnswerTo<"session.list">): string {
  return table(
    ["session", "agent", "with", "channel", "started", "last", "turns", "state"],
    sessions.map((one) => [
      one.session,
      one.agent,
      one.people.join(", ") || "-",
      one.channel,
      one.started === null ? "-" : moment(one.started),
      moment(one.last),
      String(one.turns),
      one.state,
    ]),
  );
}

function show(context: Context): Command {
  return new Command("show")
    .summary("one of them: its turns, how each ended, and what it cost")
    .argument("<session>", "its id, as in: wirken sessions list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const session = sessionOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "session.show", session });
        context.terminal.print(json ? JSON.stringify(answer) : shownText(answer));
        return EXIT.ok;
      }),
    );
}

/** Of what somebody wrote, in characters of a table. */
const SHOWN = 48;

/** What `sessions show` says. */
export function shownText({ session, turns, labels, ...cost }: AnswerTo<"session.show">): string {
  const held = [
    ...(labels.untrusted ? ["something from outside"] : []),
    ...(labels.private.length === 0 ? [] : [`what is private to ${labels.private.join(", ")}`]),
  ];
  const head = pairs([
    ["session", session.session],
    ["agent", `${session.agent}, on ${session.channel}, with ${session.people.join(", ") || "nobody"}`],
    [
      "from",
      `${session.started === null ? "-" : moment(session.started)} to ${moment(session.last)}, ${session.state}`,
    ],
    ["used", costText(cost)],
    ["holds", held.length === 0 ? "nothing from outside, and nothing private" : held.join(", and ")],
  ]);
  if (turns.length === 0) return `${head}\n\nnothing was asked yet`;
  const rows = turns.map((turn) => [
    String(turn.number),
    moment(turn.at),
    turn.person,
    turn.ended ?? "not ended",
    `${turn.tools}${turn.refused === 0 ? "" : ` (${turn.refused} refused)`}`,
    `${(turn.inputTokens + turn.outputTokens).toLocaleString("en-US")}${turn.compacted === 0 ? "" : ", made shorter"}`,
    turn.microDollars === null ? "no price" : amount("usd", turn.microDollars),
    `#${turn.row}`,
    turn.text === null ? "[erased]" : firstOf(turn.text),
  ]);
  return `${head}\n\n${table(["turn", "at", "for", "ended", "tools", "tokens", "cost", "row", "asked"], rows)}`;
}

/** What was used, in words. */
function costText({
  inputTokens,
  outputTokens,
  microDollars,
}: Pick<AnswerTo<"session.show">, "inputTokens" | "outputTokens" | "microDollars">): string {
  const tokens = `${inputTokens.toLocaleString("en-US")} tokens in, ${outputTokens.toLocaleString("en-US")} out`;
  return microDollars === null
    ? `${tokens}; some of it of a model without a price`
    : `${tokens}, ${amount("usd", microDollars)}`;
}

function firstOf(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= SHOWN ? line : `${line.slice(0, SHOWN).toWellFormed()}…`;
}

function replay(context: Context): Command {
  return new Command("replay")
    .summary("what a model was shown in it, step by step, and whether that is still what the record says")
    .description(
      "Makes each request to a model again from the rows of the record and compares it with what its own row commits to: `same`, `different` (and what is), or `not provable: content erased`.",
    )
    .argument("<session>", "its id, as in: wirken sessions list")
    .option("--turn <n>", "one turn only, by its number")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} where something is different.`)
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json, turn } = Replay.parse(options);
        const session = sessionOf(text);
        const one = turn === undefined ? null : numberOf(turn, "--turn", 1_000_000);
        await using operator = await reachOperator(context);
        const answers: AnswerTo<"session.replay">[] = [];
        for (let number = one ?? 1; ; number++) {
          const answer = await operator.call({ call: "session.replay", session, turn: number });
          answers.push(answer);
          if (!json) context.terminal.print(replayText(answer));
          if (one !== null || number >= answer.of) break;
        }
        if (json) context.terminal.print(JSON.stringify(one === null ? { turns: answers } : answers[0]));
        return answers.some(({ verdict }) => verdict === "different") ? EXIT.bad : EXIT.ok;
      }),
    );
}

function close(context: Context): Command {
  return new Command("close")
    .summary("end one: the next message there begins a new one")
    .description("What runs in it is stopped. What was said stays on the record: wirken audit erase takes it out.")
    .argument("<session>", "its id, as in: wirken sessions list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        const session = sessionOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "session.close", session });
        const stopped = answer.stopped ? "; its turn was stopped" : "";
        context.terminal.print(json ? JSON.stringify(answer) : `${session} is closed (row #${answer.row})${stopped}`);
        return EXIT.ok;
      }),
    );
}

function exportCommand(context: Context): Command {
  return new Command("export")
    .summary("write one down: Markdown for people, JSON lines for programs")
    .description("Beside each entry stands its row of the record. The export itself is recorded, with its digest.")
    .argument("<session>", "its id, as in: wirken sessions list")
    .requiredOption("--out <folder>", "a folder that is not there yet")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json, out } = Export.parse(options);
        const session = sessionOf(text);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "session.export", session, out: resolve(out) });
        context.terminal.print(json ? JSON.stringify(answer) : exportedText(answer));
        return EXIT.ok;
      }),
    );
}

function exportedText({ out, rows, bytes, digest }: AnswerTo<"session.export">): string {
  return [
    `${rows.toLocaleString("en-US")} entries, ${bytes.toLocaleString("en-US")} bytes: ${printable(out)}`,
    `SHA-256 of its SHA256SUMS, which the record has too: ${digest}`,
  ].join("\n");
}

function sessionOf(text: string): SessionId {
  const id = SessionId.safeParse(text);
  if (!id.success) throw usage("that is not a session's id", "it begins with s_: wirken sessions list");
  return id.data;
}

function numberOf(text: string, option: string, most: number): number {
  const number = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > most) throw usage(`${option} takes a number from 1 to ${most}, not ${text}`, null);
  return number;
}
