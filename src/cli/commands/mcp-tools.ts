import { Command } from "commander";
import * as z from "zod/mini";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { toolLines } from "../mcp-lines.ts";
import type { OperatorPort } from "../operator-port.ts";
import { printable, printableLines } from "../printable.ts";
import { needDaemon } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false), yes: z._default(z.boolean(), false) });

export function mcpToolsCommand(context: Context): Command {
  return new Command("tools")
    .summary("a server's tools: which are accepted, which are new, and which became another thing")
    .argument("<name>", "as in: wirken mcp list")
    .argument("[tool]", "one of them: all that it says of itself, and what is different")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if one is another than was accepted.`)
    .action((name: string, tool: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        const { terminal } = context;
        await using daemon = await needDaemon(context);
        const answer = await daemon.call({ call: "mcp.tools", name, tool: tool ?? null });
        const changed = answer.tools.filter(({ standing }) => standing === "changed");
        if (json) {
          terminal.print(JSON.stringify(answer));
          return changed.length > 0 ? EXIT.bad : EXIT.ok;
        }
        for (const line of toolLines(answer.tools)) terminal.print(printable(line));
        if (answer.text !== null) terminal.print(printableLines(answer.text));
        if (tool !== undefined && answer.difference !== null) showDifference(context, tool, answer.difference);
        if (tool === undefined) for (const one of changed) await difference(context, daemon, name, one.name);
        if (changed.length > 0)
          terminal.say(`nobody has what changed until you accept it as it is now: wirken mcp accept ${name}`);
        else if (answer.tools.some(({ standing }) => standing === "new"))
          terminal.say(`nobody has what is new until you accept it: wirken mcp accept ${name}`);
        return changed.length > 0 ? EXIT.bad : EXIT.ok;
      }),
    );
}

async function difference(context: Context, daemon: OperatorPort, name: string, tool: string): Promise<void> {
  const { difference: text } = await daemon.call({ call: "mcp.tools", name, tool });
  if (text !== null) showDifference(context, tool, text);
}

function showDifference({ terminal }: Context, tool: string, text: string): void {
  terminal.print(printable(`\n${tool} was accepted as what stands behind -, and is what stands behind + now:`));
  terminal.print(printableLines(text.trimEnd()));
}

export function mcpAcceptCommand(context: Context): Command {
  return new Command("accept")
    .summary("let agents have tools of a server, as they are described now")
    .argument("<name>", "as in: wirken mcp list")
    .argument("[tools...]", "by their names; all that are new or changed if left out")
    .option("--yes", "do not ask")
    .option("--json", "print one JSON object")
    .action((name: string, tools: string[], options: unknown) =>
      context.run(async () => await accept(context, name, tools, Options.parse(options))),
    );
}

async function accept(
  context: Context,
  name: string,
  wanted: readonly string[],
  { json, yes }: z.infer<typeof Options>,
): Promise<ExitStatus> {
  const { terminal } = context;
  await using daemon = await needDaemon(context);
  const { tools } = await daemon.call({ call: "mcp.tools", name, tool: null });
  const missing = wanted.find((tool) => !tools.some((one) => one.name === tool && one.digest !== null));
  if (missing !== undefined)
    throw usage(printable(`${name} offers no tool ${missing}`), `wirken mcp tools ${name} shows those it offers`);
  const meant = tools.filter(({ name: tool, standing, digest }) =>
    digest === null ? false : wanted.length > 0 ? wanted.includes(tool) : standing === "new" || standing === "changed",
  );
  if (meant.length === 0) {
    terminal.say(`${name}: there is nothing to accept`);
    if (json) terminal.print(JSON.stringify({ accepted: 0 }));
    return EXIT.ok;
  }
  if (!json) {
    for (const line of toolLines(meant)) terminal.say(printable(line));
    for (const one of meant) if (one.standing === "changed") await difference(context, daemon, name, one.name);
  }
  if (!yes && !terminal.interactive)
    throw usage("there is no terminal to ask on", "if agents may have them as they are now: --yes");
  if (!yes && !/^y(es)?$/i.test((await terminal.ask("let agents have them, as they are now? [y/N] ")).trim()))
    throw new CommandError(EXIT.refused, "nothing was accepted");
  const shown = meant.flatMap(({ name: tool, digest }) => (digest === null ? [] : [{ name: tool, digest }]));
  const answer = await daemon.call({ call: "mcp.accept", name, tools: shown, only: false });
  terminal.print(
    json
      ? JSON.stringify(answer)
      : `agents have ${answer.accepted === 1 ? "1 tool" : `${answer.accepted} tools`} of ${name}`,
  );
  return EXIT.ok;
}
