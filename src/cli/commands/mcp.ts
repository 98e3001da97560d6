import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { mcpTrialLines } from "../mcp-lines.ts";
import { moment } from "../moment.ts";
import { printable } from "../printable.ts";
import { needDaemon, reachOperator } from "../reach.ts";
import { table } from "../table.ts";
import { mcpAddCommand } from "./mcp-add.ts";
import { mcpAuthorizeCommand } from "./mcp-authorize.ts";
import { mcpAcceptCommand, mcpToolsCommand } from "./mcp-tools.ts";
import { mcpUpdateCommand } from "./mcp-update.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Removal = z.extend(Json, {
  yes: z._default(z.boolean(), false),
  keepCredentials: z._default(z.boolean(), false),
});

type View = AnswerTo<"mcp.list">["servers"][number];

export function mcpCommand(context: Context): Command {
  return new Command("mcp")
    .summary("programs and services that give agents more tools, each held to what you allowed it")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(mcpAddCommand(context))
    .addCommand(remove(context))
    .addCommand(enabling(context, "enable", "start it, and let agents have what is accepted of it"))
    .addCommand(enabling(context, "disable", "stop it; what was accepted stays so"))
    .addCommand(test(context))
    .addCommand(mcpToolsCommand(context))
    .addCommand(mcpAcceptCommand(context))
    .addCommand(mcpUpdateCommand(context))
    .addCommand(mcpAuthorizeCommand(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("the servers there are, and how they are")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "mcp.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.servers.length === 0)
          context.terminal.say("there is no MCP server yet: wirken mcp add NAME -- npx -y PACKAGE");
        else context.terminal.print(serversTable(answer.servers));
        if (!json)
          for (const { name, note } of answer.servers)
            if (note !== null) context.terminal.say(printable(`${name}: ${note}`));
        return EXIT.ok;
      }),
    );
}

/** What `mcp list` says. */
export function serversTable(servers: readonly View[]): string {
  return table(
    ["server", "state", "tools", "is"],
    servers.map((one) => [one.name, stateOf(one), toolsOf(one), one.what]),
  );
}

function stateOf({ state }: View): string {
  return {
    off: "disabled",
    stopped: "stopped",
    starting: "starting",
    up: "running",
    waiting: "starts again soon",
    "given-up": "does not start",
  }[state];
}

function toolsOf({ accepted, fresh, changed }: View): string {
  return [
    String(accepted),
    ...(fresh === 0 ? [] : [`${fresh} new`]),
    ...(changed === 0 ? [] : [`${changed} CHANGED`]),
  ].join(", ");
}

function show(context: Context): Command {
  return new Command("show")
    .summary("what a server is, what it may do, and how it is")
    .argument("<name>", "as in: wirken mcp list")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "mcp.show", name });
        context.terminal.print(json ? JSON.stringify(answer) : showText(answer));
        return EXIT.ok;
      }),
    );
}

function showText(server: AnswerTo<"mcp.show">): string {
  const { name, wants, note, protocol, since, restarts, credentials } = server;
  return [
    `${name}: ${stateOf(server)}${since === null || server.state !== "up" ? "" : ` since ${moment(since)}`}${protocol === null ? "" : `, MCP ${protocol}`}${restarts === 0 ? "" : `, started again ${restarts} times`}`,
    ...(note === null ? [] : [note]),
    ...(server.package === null
      ? []
      : [
          `package ${server.package.name} ${server.package.version}, installed for: ${server.package.from}`,
          `its files are ${server.package.digest}, compared at every start`,
        ]),
    "it:",
    ...wants.map((want) => `  ${want}`),
    `tools: ${toolsOf(server)} (wirken mcp tools ${name})`,
    ...(credentials.length === 0 ? [] : [`only it uses: ${credentials.join(", ")}`]),
  ]
    .map((line) => printable(line))
    .join("\n");
}

function remove(context: Context): Command {
  return new Command("remove")
    .summary(
      "take a server away, with its package, what was accepted and granted for it, and the credentials that only it uses",
    )
    .argument("<name>", "as in: wirken mcp list")
    .option("--keep-credentials", "leave them in the vault")
    .option("--yes", "do not ask")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json, yes, keepCredentials } = Removal.parse(options);
        const { terminal } = context;
        await using operator = await reachOperator(context);
        const { credentials } = await operator.call({ call: "mcp.show", name });
        const destroyed = keepCredentials ? [] : credentials;
        if (destroyed.length > 0) terminal.say(`with it these credentials are destroyed: ${destroyed.join(", ")}`);
        if (!yes && !terminal.interactive)
          throw usage("there is no terminal to ask on", "say that you mean it with --yes");
        if (!yes && !/^y(es)?$/i.test((await terminal.ask(`remove ${name}? [y/N] `)).trim()))
          throw new CommandError(EXIT.bad, "nothing was removed");
        const answer = await operator.call({ call: "mcp.remove", name, credentials: !keepCredentials });
        terminal.print(json ? JSON.stringify(answer) : removedText(answer));
        return EXIT.ok;
      }),
    );
}

function removedText({ name, grants, credentials }: AnswerTo<"mcp.remove">): string {
  const more = [
    ...(grants === 0 ? [] : [grants === 1 ? "1 grant" : `${grants} grants`]),
    ...credentials.map((one) => `the credential ${one}`),
  ];
  return `${name} is removed${more.length === 0 ? "" : `, and with it ${more.join(", ")}`}`;
}

function enabling(context: Context, how: "enable" | "disable", summary: string): Command {
  return new Command(how)
    .summary(summary)
    .argument("<name>", "as in: wirken mcp list")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call(
          how === "enable" ? { call: "mcp.enable", name } : { call: "mcp.disable", name },
        );
        context.terminal.print(json ? JSON.stringify(answer) : `${name} is ${how}d`);
        return EXIT.ok;
      }),
    );
}

function test(context: Context): Command {
  return new Command("test")
    .summary("start a server where it does not run, and ask what it offers; no tool is called")
    .argument("<name>", "as in: wirken mcp list")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if it does not work.`)
    .action((name: string, options: unknown) =>
      context.run(
        async () => {
          const { json } = Json.parse(options);
          await using daemon = await needDaemon(context);
          const answer = await daemon.call({ call: "mcp.test", name });
          if (json) context.terminal.print(JSON.stringify(answer));
          else for (const line of mcpTrialLines(name, answer)) context.terminal.print(printable(line));
          return answer.state === "works" ? EXIT.ok : EXIT.bad;
        },
        { network: true },
      ),
    );
}
