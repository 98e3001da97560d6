import { Command } from "commander";
import { resolve } from "node:path";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import type { OperatorPort } from "../operator-port.ts";
import { agentOf } from "../placed-person.ts";
import { printable, printableLines } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const Show = z.object({ json: z._default(z.boolean(), false), agent: z.optional(z.string()) });
const Accept = z.extend(Show, { digest: z.optional(z.string()) });

type View = AnswerTo<"instructions.show">["files"][number];

export function agentsInstructionsCommand(context: Context): Command {
  return new Command("instructions")
    .summary("AGENTS.md, SOUL.md and USER.md of workspaces: told to an agent once you have looked at them")
    .addCommand(show(context))
    .addCommand(accept(context));
}

function show(context: Context): Command {
  return new Command("show")
    .summary("those there are, and what changed in those that wait for you")
    .option("--agent <name>", "only this agent's")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, agent } = Show.parse(options);
        await using operator = await reachOperator(context);
        const { files } = await found(operator, agent);
        if (json) context.terminal.print(JSON.stringify({ files }));
        else if (files.length === 0) context.terminal.say("no workspace holds AGENTS.md, SOUL.md or USER.md");
        else context.terminal.print(files.map(instructionsText).join("\n\n"));
        return files.every(({ state }) => state === "in force") ? EXIT.ok : EXIT.bad;
      }),
    );
}

function accept(context: Context): Command {
  return new Command("accept")
    .summary("have an agent told what such a file says now")
    .description(
      "It is shown whole, or what changed in it, and asked about; --digest names the version that you looked at.",
    )
    .argument("<path>", "the file, as in: wirken agents instructions show")
    .option("--agent <name>", "which agent", "default")
    .option("--digest <sha256>", "of the version that you looked at: nothing is asked then")
    .option("--json", "print one JSON object")
    .action((path: string, options: unknown) =>
      context.run(async () => {
        const { json, agent = "default", digest } = Accept.parse(options);
        await using operator = await reachOperator(context);
        const { files } = await found(operator, agent);
        const file = files.find((one) => one.path === resolve(path));
        if (file === undefined) throw usage(`agent ${agent} is told nothing of ${resolve(path)}`, SHOW);
        if (file.digest === null)
          throw new CommandError(EXIT.refused, `this is not told to an agent: ${printable(file.why ?? "")}`, null);
        if (file.state !== "in force") await looked(context, file, digest);
        const answer = await operator.call({
          call: "instructions.accept",
          agent: file.agent,
          path: file.path,
          digest: file.digest,
        });
        context.terminal.print(json ? JSON.stringify(answer) : printable(`agent ${agent} is told ${answer.path}`));
        return EXIT.ok;
      }),
    );
}

const SHOW = "see: wirken agents instructions show";

async function found(operator: OperatorPort, agent: string | undefined): Promise<AnswerTo<"instructions.show">> {
  return await operator.call({ call: "instructions.show", agent: agent === undefined ? null : agentOf(agent) });
}

/** @throws {CommandError} unless the owner has looked at this version. */
async function looked({ terminal }: Context, file: View, digest: string | undefined): Promise<void> {
  if (digest !== undefined) {
    if (digest === file.digest) return;
    throw new CommandError(EXIT.refused, "that is another version than the one that is there", SHOW);
  }
  if (!terminal.interactive)
    throw usage(
      "there is no terminal to show it on",
      `look at it with: wirken agents instructions show; then name its --digest`,
    );
  terminal.say(instructionsText(file));
  const answer = await terminal.ask("have the agent told this? [y/N] ");
  if (!/^y(es)?$/i.test(answer.trim())) throw new CommandError(EXIT.bad, "not accepted; it still waits", null);
}

/** What `agents instructions show` says of one file. */
export function instructionsText(file: View): string {
  const whose = file.person === null ? "everybody who talks to it" : file.person;
  return [
    printable(`${file.path}: ${STATE[file.state]}${file.why === null ? "" : ` (${file.why})`}`),
    printable(`  agent ${file.agent}, in turns of ${whose}`),
    ...(file.digest === null ? [] : [`  digest ${file.digest}`]),
    ...(file.untrusted ? ["  written beside something that nobody vouches for: wirken label show"] : []),
    ...file.noticed.map((sentence) => printable(`  noticed: ${sentence}`)),
    ...(file.difference === "" ? [] : [printableLines(file.difference.replace(/\n$/, ""))]),
  ].join("\n");
}

const STATE: Readonly<Record<View["state"], string>> = {
  "in force": "told to the agent as it is",
  new: "NEW, told to nobody yet",
  changed: "CHANGED, what it said before is told",
  unusable: "not told to an agent",
};
