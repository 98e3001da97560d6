import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function doctorConfinementCommand(context: Context): Command {
  return new Command("confinement")
    .summary("try the walls of every kind of process, and say what is missing")
    .description(
      "Starts a short-lived process of each role, which tries what it may not and says which wall refused it.",
    )
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if a wall is missing on this system.`)
    .action((_options: unknown, command: Command) =>
      context.run(async () => {
        const { json } = Options.parse(command.optsWithGlobals());
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "confinement" });
        context.terminal.print(json ? JSON.stringify(answer) : confinementText(answer));
        return answer.full ? EXIT.ok : EXIT.bad;
      }),
    );
}

type Answer = AnswerTo<"confinement">;

/** What `doctor confinement` says: which wall stops what, for each role, as tried just now. */
export function confinementText({ full, missing, roles }: Answer): string {
  const reaches = [...new Set(roles.flatMap(({ tried }) => tried.map(({ reach }) => reach)))];
  const parts = [
    full
      ? "every wall stands"
      : missing.map(({ layer, costs }) => `missing: ${printable(layer)}\n      ${printable(costs)}`).join("\n"),
    table(
      ["role", "hosts", "files", "secrets", "held by"],
      roles.map(({ role, hosts, files, secrets, layers }) => [
        role,
        hosts,
        files,
        secrets,
        layers.map(printable).join(", "),
      ]),
    ),
  ];
  if (reaches.length > 0)
    parts.push(
      table(
        ["native code tries to", ...roles.map(({ role }) => role)],
        reaches.map((reach) => [
          reach,
          ...roles.map(({ tried }) => tried.find((one) => one.reach === reach)?.native ?? "let through"),
        ]),
      ),
    );
  return parts.join("\n\n");
}

/** Those that reach something by a lane, and so by a list. */
const LISTED: ReadonlySet<string> = new Set(["adapter", "model", "anchor"]);

function yes(value: boolean | null): string {
  return value === null ? "?" : value ? "yes" : "no";
}

/** What `status --processes` says. @param lists what may be reached by lanes, as egress goes by it. */
export function processesText({ processes, roles }: Answer, lists: AnswerTo<"egress.show">["processes"]): string {
  const reached = (name: string): string => {
    const entries = lists.find(({ process }) => process === name)?.entries ?? [];
    return entries.length === 0 ? "none" : entries.map(({ to }) => printable(to)).join(", ");
  };
  return table(
    ["process", "pid", "reaches", "files", "secrets", "filter", "privileges", "descriptors"],
    processes.map((one) => {
      const role = roles.find(({ role: name }) => name === one.role);
      const name = one.subject === null ? one.role : `${one.role}:${one.subject}`;
      return [
        printable(name),
        String(one.pid),
        LISTED.has(one.role) ? reached(name) : (role?.hosts ?? "a local control socket"),
        role?.files ?? "the data directory",
        role?.secrets ?? "all of them",
        yes(one.seccomp),
        one.noNewPrivileges === null ? "?" : one.noNewPrivileges ? "no more" : "as started",
        one.descriptors === null ? "not to be looked at" : String(one.descriptors.length),
      ];
    }),
  );
}
