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

function yes(value: boolean | null): string {
  return value === null ? "?" : value ? "yes" : "no";
}

/** What `status --processes` says. */
export function processesText({ processes, roles }: Answer): string {
  return table(
    ["process", "pid", "reaches", "files", "secrets", "filter", "privileges", "descriptors"],
    processes.map((one) => {
      const role = roles.find(({ role: name }) => name === one.role);
      return [
        one.subject === null ? one.role : `${one.role}:${printable(one.subject)}`,
        String(one.pid),
        role?.hosts ?? "a local control socket",
        role?.files ?? "the data directory",
        role?.secrets ?? "all of them",
        yes(one.seccomp),
        one.noNewPrivileges === null ? "?" : one.noNewPrivileges ? "no more" : "as started",
        one.descriptors === null ? "not to be looked at" : String(one.descriptors.length),
      ];
    }),
  );
}
