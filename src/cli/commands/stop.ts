import { Command } from "commander";
import * as z from "zod/mini";
import { type Name, SessionId } from "../../ipc/ids.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { agentOf } from "../placed-person.ts";
import { needDaemon } from "../reach.ts";

const Options = z.object({
  session: z.optional(z.union([z.string(), z.literal(true)])),
  agent: z.optional(z.string()),
  json: z._default(z.boolean(), false),
});

/** A daemon drains for this long at most before it is given up here. */
const GONE_MS = 20_000;

export function stopCommand(context: Context): Command {
  return new Command("stop")
    .summary("stop the daemon, or what an agent is doing")
    .description(
      "With --session or --agent the daemon goes on: the turn ends within a second, with the model call, the tools and the commands that belong to it, whatever the model says to that.",
    )
    .option("--session [id]", "end only the running turn of this session (without an id: of the terminal's own)")
    .option("--agent <name>", "end every running turn of this agent")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { session, agent, json } = Options.parse(options);
        if (session !== undefined && agent !== undefined)
          throw usage("a session or an agent, not both", "run it once for each");
        if (agent !== undefined) return await stopTurn(context, { session: null, agent: agentOf(agent) }, json);
        if (session === undefined) return await stopDaemon(context, json);
        return await stopTurn(context, { session: sessionOf(session) }, json);
      }),
    );
}

function sessionOf(given: string | true): SessionId | null {
  if (given === true) return null;
  const session = SessionId.safeParse(given);
  if (!session.success) throw usage("that is not a session's id", "it begins with s_ and stands in: wirken audit log");
  return session.data;
}

async function stopTurn(
  context: Context,
  which: { readonly session: SessionId | null; readonly agent?: Name },
  json: boolean,
): Promise<ExitStatus> {
  await using daemon = await needDaemon(context);
  const answer = await daemon.call({ call: "session.stop", ...which });
  context.terminal.print(json ? JSON.stringify(answer) : answer.stopped ? "stopped" : "no turn is running");
  return EXIT.ok;
}

async function stopDaemon(context: Context, json: boolean): Promise<ExitStatus> {
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
  context.terminal.print(json ? JSON.stringify({ stopped: true }) : "stopped");
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
