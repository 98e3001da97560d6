import { Command } from "commander";
import { resolve } from "node:path";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import type { OperatorPort } from "../operator-port.ts";
import { personOf } from "../person.ts";
import { agentOf } from "../placed-person.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const List = z.extend(Json, { agent: z.optional(z.string()) });
const Remove = z.extend(Json, { agent: z._default(z.string(), "default"), for: z.optional(z.string()) });
const Add = z.extend(Remove, { write: z._default(z.boolean(), false), name: z.optional(z.string()) });

type View = AnswerTo<"folder.list">["folders"][number];

export function folderCommand(context: Context): Command {
  return new Command("folder")
    .summary("folders of this machine that are part of an agent's workspace")
    .addCommand(list(context))
    .addCommand(add(context))
    .addCommand(remove(context));
}

function add(context: Context): Command {
  return new Command("add")
    .summary("let an agent see a folder")
    .description(
      "Its commands and file tools then have it under its own name in the workspace, read-only without --write. " +
        "Refused: your home folder itself, the data directory, places of credentials (.ssh, .gnupg, .aws, browser profiles), and whatever holds one of them.",
    )
    .argument("<path>", "the folder")
    .option("--agent <name>", "which agent", "default")
    .option("--write", "it may be changed too: writing is then asked for once, as in the workspace")
    .option("--for <person>", "only this person's turns see it; not those in group talk")
    .option("--name <name>", "what it is called in the workspace; made of its own name if left out")
    .option("--json", "print one JSON object")
    .action((path: string, options: unknown) =>
      context.run(async () => {
        const { json, agent, write, name, ...rest } = Add.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({
          call: "folder.add",
          path: resolve(path),
          name: name ?? null,
          agent: agentOf(agent),
          write,
          principal: rest.for === undefined ? null : await someone(operator, rest.for),
        });
        context.terminal.print(json ? JSON.stringify(answer) : folderText(answer));
        return EXIT.ok;
      }),
    );
}

function list(context: Context): Command {
  return new Command("list")
    .summary("those there are, and whether they are still as they were added")
    .option("--agent <name>", "only this agent's")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, agent } = List.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "folder.list", agent: agent === undefined ? null : agentOf(agent) });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.folders.length === 0) context.terminal.say("no folder was added");
        else context.terminal.print(foldersTable(answer.folders));
        for (const { wrong } of json ? [] : answer.folders) if (wrong !== null) context.terminal.say(printable(wrong));
        return answer.folders.some(({ wrong }) => wrong !== null) ? EXIT.bad : EXIT.ok;
      }),
    );
}

function remove(context: Context): Command {
  return new Command("remove")
    .summary("take a folder out of an agent's workspace; the folder itself stays")
    .argument("<name>", "what it is called there, as in: wirken folder list")
    .option("--agent <name>", "which agent", "default")
    .option("--for <person>", "whose it is, where several are called that")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json, agent, ...rest } = Remove.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({
          call: "folder.remove",
          name,
          agent: agentOf(agent),
          ...(rest.for === undefined ? {} : { principal: await someone(operator, rest.for) }),
        });
        context.terminal.print(json ? JSON.stringify(answer) : `no longer there: ${folderText(answer)}`);
        return EXIT.ok;
      }),
    );
}

async function someone(operator: OperatorPort, who: string) {
  return personOf(who, (await operator.call({ call: "pair.list" })).people);
}

/** What `folder list` says. */
export function foldersTable(folders: readonly View[]): string {
  return table(
    ["folder", "is", "agent", "may be", "for", "since", "state"],
    folders.map(({ name, path, agent, write, person, at, wrong }) => [
      name,
      path,
      agent,
      write ? "changed" : "read",
      person ?? "everybody",
      moment(at),
      wrong === null ? "there" : "GONE",
    ]),
  );
}

function folderText({ name, path, agent, write, person }: View): string {
  const whose = person === null ? "" : `, for ${person} alone`;
  return printable(
    `${path} is ${name}/ in the workspace of agent ${agent}, ${write ? "to be changed" : "to be read"}${whose}`,
  );
}
