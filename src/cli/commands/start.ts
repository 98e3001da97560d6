import { Command } from "commander";
import * as z from "zod/mini";
import type { Context } from "../context.ts";
import { usage } from "../command-error.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";

const Options = z.object({ port: z.optional(z.string()), require: z.optional(z.string()) });

export function startCommand(context: Context): Command {
  return new Command("start")
    .summary("run the daemon on this terminal")
    .description(
      "Runs the daemon: web page, channels and agents. It runs until Ctrl-C, `wirken stop`, or the terminal closes.",
    )
    .option("--port <number>", "port of the web page on 127.0.0.1 (0: any free one)")
    .option("--require <what>", "full: start only where every wall stands (see wirken doctor confinement)")
    .addHelpText(
      "after",
      `\nExit status is ${EXIT.notReady} if another daemon uses the data directory, the port is taken, or a required wall is missing.`,
    )
    .action((options: unknown) => context.run(async () => await start(context, options), { network: true }));
}

async function start({ home }: Context, options: unknown): Promise<ExitStatus> {
  const { port, require } = Options.parse(options);
  if (require !== undefined && require !== "full") throw usage(`${require} cannot be required`, "it is --require full");
  const chosen = {
    ...(port === undefined ? {} : { port: portOf(port) }),
    ...(require === undefined ? {} : { require: "full" as const }),
  };
  const { forbidRingsToChildren } = await import("../../supervisor/own-walls.ts");
  forbidRingsToChildren();
  const { earlyHelpers } = await import("../../supervisor/early-helpers.ts");
  const helpers = earlyHelpers(home.vault);
  // Loaded here and nowhere else: no other command carries the daemon's code.
  const { runDaemon } = await import("../../supervisor/main.ts");
  return known(await runDaemon({ home: home.root, helpers, ...chosen }));
}

function portOf(text: string): number {
  const port = z.coerce.number().check(z.int(), z.gte(0), z.lte(65_535)).safeParse(text);
  if (!port.success) throw usage(`${text} is not a port`, "a port is a number from 0 to 65535");
  return port.data;
}

function known(status: number): ExitStatus {
  return Object.values(EXIT).find((one) => one === status) ?? EXIT.bug;
}
