import { Command } from "commander";
import * as z from "zod/mini";
import { ReachingProcess } from "../../ipc/egress-calls.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function egressShowCommand(context: Context): Command {
  return new Command("show")
    .summary("what a process may reach, and where each entry comes from")
    .description("Whatever is not on the list of a process is refused to it, and the refusal is on the log.")
    .argument(
      "[process]",
      "adapter:slack, model:openai, anchor:NAME, mcp:NAME, fetch or command:CALL; all of them if left out",
    )
    .option("--json", "print one JSON object")
    .action((word: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        const process = processOf(word);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "egress.show", process });
        context.terminal.print(json ? JSON.stringify(answer) : egressText(answer));
        return EXIT.ok;
      }),
    );
}

/** A process as it was typed. @throws {CommandError}. */
export function processOf(word: string | undefined): string | null {
  if (word === undefined) return null;
  const process = ReachingProcess.safeParse(word);
  if (process.success) return process.data;
  throw usage(
    `${printable(word.slice(0, 80))} is no process that reaches anything`,
    "a process is adapter:CHANNEL, model:PROVIDER, anchor:NAME, mcp:NAME, command:CALL or fetch, such as adapter:slack",
  );
}

/** What `egress show` says. */
export function egressText({ proxy, processes }: AnswerTo<"egress.show">): string {
  const parts: string[] = [];
  if (proxy !== null) {
    const credential = proxy.credential ? ", with its credential from the vault" : "";
    parts.push(
      `all but this machine's own is reached through the proxy ${printable(proxy.place)} (${proxy.from})${credential}`,
    );
  }
  if (processes.length === 0) parts.push("nothing may reach anything: no channel, no provider and no anchor is set up");
  for (const { process, running, entries } of processes) {
    const heading = `${printable(process)}${running ? "" : " (not running)"}`;
    const rows = entries.map(({ to, tls, private: own, from }) => [
      `  ${to}`,
      tls ? "TLS to this host" : "as it likes",
      own ? "also private addresses" : "public addresses only",
      from,
    ]);
    parts.push(
      rows.length === 0
        ? `${heading}\n  nothing: no address is known`
        : `${heading}\n${table(["  to", "how", "where", "from"], rows)}`,
    );
  }
  return parts.join("\n\n");
}
