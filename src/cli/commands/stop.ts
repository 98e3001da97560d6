import { Command } from "commander";
import * as z from "zod/mini";
import { SessionId } from "../../ipc/ids.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { needDaemon } from "../reach.ts";

const Options = z.object({ session: z.optional(z.union([z.string(), z.literal(true)])) });

/** A daemon drains for this long at most before it is given up here. */
const GONE_MS = 20_000;

export function stopCommand(context: Context): Command {
  return new Command("stop")
    .summary("stop the daemon, or one running turn")
    .option("--session [id]", "end only the running turn of this session (without an id: of the terminal's own)")
    .action((options: unknown) =>
      context.run(async () => {
        const { session } = Options.parse(options);
        return session === undefined
          ? await stopDaemon(context)
          : await stopTurn(context, session === true ? null : session);
      }),
    );
}

async function stopTurn(context: Context, id: string | null): Promise<ExitStatus> {
  const session = id === null ? null : SessionId.safeParse(id);
  if (session !== null && !session.success)
    throw usage("that is not a session's id", "it begins with s_ and stands in: wirken audit log");
  await using daemon = await needDaemon(context);
  const { stopped } = await daemon.call({ call: "session.stop", session: session?.data ?? null });
  context.terminal.print(stopped ? "stopped" : "no turn is running");
  return EXIT.ok;
}

async function stopDaemon(context: Context): Promise<ExitStatus> {
  await using daemon = await needDaemon(context);
  const { pid } = daemon.daemon;
  await daemon.call({ call: "daemon.stop" });
  const until = performance.now() + GONE_MS;
  while (isThere(pid)) {
    if (performance.now() > until) {
      throw new CommandError(
        EXIT.bad,
        `the daemon (process ${pid}) still drains after ${GONE_MS / 1000} s`,
        `wait, or: kill -9 ${pid}`,
      );
    }
    await new Promise((resolve) => {
      setTimeout(resolve, 50);
    });
  }
  context.terminal.print("stopped");
  return EXIT.ok;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
