import { Command } from "commander";
import * as z from "zod/mini";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { printable, printableLines } from "../printable.ts";
import { needDaemon } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false), yes: z._default(z.boolean(), false) });

export function mcpUpdateCommand(context: Context): Command {
  return new Command("update")
    .summary("look for a newer version of what was installed, and what is different about it")
    .description(
      "The newer version is installed beside the one in use and asked what it offers. Nothing of it is used before you say so.",
    )
    .argument("<name>", "as in: wirken mcp list")
    .option("--yes", "take it without being asked")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => await update(context, name, Options.parse(options)), { network: true }),
    );
}

async function update(context: Context, name: string, { json, yes }: z.infer<typeof Options>): Promise<ExitStatus> {
  const { terminal } = context;
  await using daemon = await needDaemon(context);
  const { package: before } = await daemon.call({ call: "mcp.show", name });
  if (before !== null) terminal.say(printable(`looking for the newest of: ${before.from} …`));
  const found = await daemon.call({ call: "mcp.update", name });
  if (found.state === "newest") {
    terminal.print(
      json
        ? JSON.stringify(found)
        : printable(
            `${name} is at ${found.version}, which is the newest${found.mended ? "; its files had been changed, and are those that were installed again" : ""}`,
          ),
    );
    return EXIT.ok;
  }
  const { from, to, digest, trial, changes } = found;
  if (!json) {
    terminal.say(printable(`${name}: ${from} is in use, ${to} is the newest`));
    if (trial.state === "failed") terminal.say(printable(`it does NOT work: ${trial.sentence}`));
    else if (changes.length === 0) terminal.say("its tools are the same, word for word; it wants nothing more");
    for (const { tool, how, difference } of changes) {
      const is = { new: "a new tool", changed: "another thing than was accepted", gone: "gone" }[how];
      terminal.say(printable(`${tool}: ${is}`));
      if (difference !== "") terminal.say(printableLines(difference.trimEnd()));
    }
    terminal.say("what it may reach, read and change stays as it is");
  }
  if (!yes && !terminal.interactive) {
    await daemon.call({ call: "mcp.update.leave", name });
    if (json) terminal.print(JSON.stringify(found));
    throw usage("there is no terminal to ask on", "to take it into use: --yes");
  }
  const question =
    trial.state === "failed"
      ? "take it into use although it does not work? [y/N] "
      : "take it into use, as it is described here? [y/N] ";
  if (!yes && !/^y(es)?$/i.test((await terminal.ask(question)).trim())) {
    await daemon.call({ call: "mcp.update.leave", name });
    throw new CommandError(EXIT.refused, `${name} stays at ${from}`);
  }
  if (yes && trial.state === "failed") {
    await daemon.call({ call: "mcp.update.leave", name });
    throw new CommandError(EXIT.bad, printable(`${name} stays at ${from}: ${to} does not work`));
  }
  const answer = await daemon.call({ call: "mcp.update.take", name, digest });
  terminal.print(json ? JSON.stringify(answer) : printable(`${name} is at ${answer.version ?? to}`));
  return EXIT.ok;
}
