import { Command } from "commander";
import * as z from "zod/mini";
import { MemoryId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { personOf } from "../person.ts";
import { agentOf } from "../placed-person.ts";
import { printable, printableLines } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";
import { wholeNumber } from "../whole-number.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const List = z.extend(Json, {
  agent: z.optional(z.string()),
  for: z.optional(z.string()),
  limit: z._default(z.string(), "50"),
});
type View = AnswerTo<"memory.show">;

/** Characters of an entry's text in a list. */
const SHOWN = 60;

export function memoryCommand(context: Context): Command {
  return new Command("memory")
    .summary("what agents keep between conversations, each entry for one person")
    .addCommand(listing(context, "list", "the newest entries"))
    .addCommand(listing(context, "search", "entries in which words stand, the best first"))
    .addCommand(show(context))
    .addCommand(remove(context));
}

function listing(context: Context, name: "list" | "search", summary: string): Command {
  const command = new Command(name).summary(summary);
  if (name === "search") command.argument("<words...>", "words, or their beginnings");
  return command
    .option("--agent <name>", "only this agent's")
    .option("--for <person>", "only what is kept for this person")
    .option("--limit <n>", "how many", "50")
    .option("--json", "print one JSON object")
    .action((first: unknown, second: unknown) =>
      context.run(async () => {
        const words = Array.isArray(first) ? first.map(String) : null;
        const { json, agent, limit, ...rest } = List.parse(words === null ? first : second);
        await using operator = await reachOperator(context);
        const principal =
          rest.for === undefined ? null : personOf(rest.for, (await operator.call({ call: "pair.list" })).people);
        const answer = await operator.call({
          call: "memory.list",
          agent: agent === undefined ? null : agentOf(agent),
          principal,
          query: words === null ? null : words.join(" "),
          limit: wholeNumber(limit, "--limit"),
        });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.entries.length === 0) context.terminal.say("nothing is kept");
        else context.terminal.print(memoryTable(answer.entries));
        if (!json && answer.more > 0) context.terminal.say(`${answer.more} more; see --limit`);
        if (!json && answer.unread > 0)
          context.terminal.say(`${answer.unread} that cannot be opened: the vault is locked, or they are erased`);
        return EXIT.ok;
      }),
    );
}

function show(context: Context): Command {
  return new Command("show")
    .summary("one entry, whole, and where it comes from")
    .argument("<id>", "as in: wirken memory list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "memory.show", memory: idOf(text) });
        context.terminal.print(json ? JSON.stringify(answer) : memoryText(answer));
        return EXIT.ok;
      }),
    );
}

function remove(context: Context): Command {
  return new Command("remove")
    .summary("delete an entry: its text is overwritten, its row says that there was one")
    .argument("<id>", "as in: wirken memory list")
    .option("--json", "print one JSON object")
    .action((text: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "memory.remove", memory: idOf(text) });
        context.terminal.print(json ? JSON.stringify(answer) : `removed: ${answer.memory}`);
        return EXIT.ok;
      }),
    );
}

function idOf(text: string): MemoryId {
  const id = MemoryId.safeParse(text);
  if (!id.success) throw usage("that is not an entry's id", "it begins with me_: wirken memory list");
  return id.data;
}

/** What `memory list` says. */
export function memoryTable(entries: readonly View[]): string {
  return table(
    ["entry", "for", "agent", "kept", "on", "trust", "text"],
    entries.map(({ memory, person, agent, at, channel, untrusted, text }) => [
      memory,
      person,
      agent,
      moment(at),
      channel,
      untrusted ? "untrusted" : "-",
      text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`,
    ]),
  );
}

function memoryText({ memory, person, agent, at, channel, session, row, untrusted, text }: View): string {
  return [
    printable(`${memory}, kept by agent ${agent} for ${person}, ${moment(at)} on ${channel}`),
    `from ${session}, row #${row}${untrusted ? "; somebody else's words may be in it" : ""}`,
    "",
    printableLines(text),
  ].join("\n");
}
