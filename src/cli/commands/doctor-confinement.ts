import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { pairs, table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function doctorConfinementCommand(context: Context): Command {
  return new Command("confinement")
    .summary("try the walls of every kind of process, and say what is missing")
    .description(
      "Starts a short-lived process of each role, and a command, which try what they may not; it says which wall refused it.",
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
export function confinementText({ full, missing, roles, limits }: Answer): string {
  const reaches = [...new Set(roles.flatMap(({ tried }) => tried.map(({ reach }) => reach)))];
  const parts = [
    full
      ? "every wall stands"
      : missing.map(({ layer, costs }) => `missing: ${printable(layer)}\n      ${printable(costs)}`).join("\n"),
    limitsText(limits),
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
          ...roles.map(({ tried }) => stoppedBy(tried.find((one) => one.reach === reach))),
        ]),
      ),
    );
  return parts.join("\n\n");
}

/** How a daemon is given a cgroup of its own. */
const GIVEN = "systemd-run --user --scope -p Delegate=yes wirken start";

function limitsText({ by, why }: Answer["limits"]): string {
  return by === "cgroup"
    ? "commands are held to their memory and processes by the kernel, in a cgroup for each"
    : `commands are held to their memory and processes by a watch that looks ten times a second: ${printable(why ?? "")}\n      to have the kernel do it: ${GIVEN}`;
}

/** What nothing forbids to a role is not tried in it. */
function stoppedBy(tried: Answer["roles"][number]["tried"][number] | undefined): string {
  return tried === undefined ? "-" : (tried.native ?? "let through");
}

/** Those that reach something by a lane, and so by a list. */
const LISTED: ReadonlySet<string> = new Set(["adapter", "model", "anchor"]);

function yes(value: boolean | null): string {
  return value === null ? "?" : value ? "yes" : "no";
}

/** What `status --processes` says. @param lists what may be reached by lanes, as egress goes by it. */
export function processesText(answer: Answer, lists: AnswerTo<"egress.show">["processes"]): string {
  const { commands } = answer;
  const parts = [childrenText(answer, lists)];
  if (commands.length > 0) parts.push(commandsText(commands));
  return parts.join("\n\n");
}

/** What runs in the sandbox. What it may not reach, as tried just now: `wirken doctor confinement`. */
function commandsText(commands: Answer["commands"]): string {
  return commands
    .map((one) =>
      [
        `command:${one.command}${one.background ? " (in the background)" : ""}  ${one.words}`,
        pairs([
          ["  for", `${one.agent}, ${one.session}, ${one.turn} (row ${one.seq}), since ${moment(one.since)}`],
          ["  reaches", one.hosts.length === 0 ? "no host" : `${one.hosts.join(", ")}, on ports 443 and 80`],
          ["  files", one.files],
          ["  held by", one.layers.join(", ")],
          ["  process", one.pid === null ? "none yet: it waits" : kernelSays(one)],
        ]),
      ]
        .map((text, index) => (index === 0 ? printable(text) : text))
        .join("\n"),
    )
    .join("\n\n");
}

function kernelSays({ pid, seccomp, noNewPrivileges }: Answer["commands"][number]): string {
  const filter = `filter: ${yes(seccomp)}`;
  return `${pid}, ${filter}, privileges: ${noNewPrivileges === null ? "?" : noNewPrivileges ? "no more" : "as started"}`;
}

function childrenText({ processes, roles }: Answer, lists: AnswerTo<"egress.show">["processes"]): string {
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
