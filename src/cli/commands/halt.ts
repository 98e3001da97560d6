import { Command } from "commander";
import * as z from "zod/mini";
import type { HaltTarget } from "../../ipc/halt-calls.ts";
import { Name, SessionId } from "../../ipc/ids.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { reasonOf } from "../reason.ts";

const Options = z.object({
  agent: z.optional(z.string()),
  session: z.optional(z.string()),
  reason: z.optional(z.string().check(z.maxLength(500))),
  json: z._default(z.boolean(), false),
});

export function haltCommand(context: Context): Command {
  return scoped("halt")
    .summary("end what agents do, and let nothing begin until wirken resume")
    .description(
      "Running turns end and their commands are killed; what people write is recorded and answered with a line that says so. It holds through restarts.",
    )
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const target = targetOf(parsed);
        const reason = await reasonOf(context, parsed.reason, "why is it halted? ");
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "halt.begin", target, reason });
        const { sentence, at, ended } = answer;
        const turns = ended === 0 ? "no turn ran" : `${ended} running ${ended === 1 ? "turn was" : "turns were"} ended`;
        context.terminal.print(
          parsed.json
            ? JSON.stringify(answer)
            : `halted: ${printable(sentence)}, since ${moment(at)}; ${turns}\nto go on: wirken resume${words(target)}`,
        );
        return EXIT.ok;
      }),
    );
}

export function resumeCommand(context: Context): Command {
  return scoped("resume")
    .summary("let agents work again after wirken halt")
    .description("What was written meanwhile was answered, and is not taken up again.")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        await using operator = await reachOperator(context);
        const target = targetOf(parsed);
        const answer = await operator.call({ call: "halt.end", target, reason: parsed.reason ?? null });
        context.terminal.print(
          parsed.json ? JSON.stringify(answer) : `no longer halted: ${printable(answer.sentence)}`,
        );
        return EXIT.ok;
      }),
    );
}

function scoped(name: string): Command {
  return new Command(name)
    .option("--agent <name>", "only this agent")
    .option("--session <id>", "only this session")
    .option("--reason <text>", "why; it stands in the log")
    .option("--json", "print one JSON object");
}

/** Without an option: everything. @throws {CommandError} for both, or for what is no name and no id. */
function targetOf({ agent, session }: z.infer<typeof Options>): HaltTarget {
  if (agent !== undefined && session !== undefined)
    throw usage("an agent or a session, not both", "run it once for each");
  if (agent !== undefined) {
    const name = Name.safeParse(agent);
    if (!name.success) throw usage("that is no agent's name", "see: wirken agents list");
    return { subject: "agent", agent: name.data };
  }
  if (session === undefined) return { subject: "all" };
  const id = SessionId.safeParse(session);
  if (!id.success) throw usage("that is not a session's id", "it begins with s_ and stands in: wirken audit log");
  return { subject: "session", session: id.data };
}

function words(target: HaltTarget): string {
  if (target.subject === "all") return "";
  return target.subject === "agent" ? ` --agent ${target.agent}` : ` --session ${target.session}`;
}
