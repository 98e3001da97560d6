import { existsSync } from "node:fs";
import { Command } from "commander";
import * as z from "zod";
import type { AnswerTo } from "../../ipc/operator.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachDaemon } from "../reach.ts";

const Options = z.object({ json: z.boolean().default(false), vkey: z.string().max(512).optional() });

export function auditVerifyCommand(context: Context): Command {
  return new Command("verify")
    .summary("check every hash and signature of the log")
    .description(
      "Checks the log of this data directory, or an audit.db from anywhere. A file is read as an attacker's; neither the daemon nor the vault is needed.",
    )
    .argument("[file]", "path of an audit.db, live or copied")
    .option("--vkey <key>", "the log's public key, as you were given it")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `\nExit status is ${EXIT.bad} if anything was changed, ${EXIT.notReady} if something could not be checked.`,
    )
    .action((file: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, vkey } = Options.parse(options);
        const view = await verdictOf(context, file, vkey);
        context.terminal.print(json ? JSON.stringify(view) : view.sentences.map((line) => printable(line)).join("\n"));
        return statusOf(view.state);
      }),
    );
}

async function verdictOf(
  context: Context,
  file: string | undefined,
  vkey: string | undefined,
): Promise<AnswerTo<"audit.verify">> {
  if (file === undefined && vkey === undefined) {
    // The daemon also has the pin in the keychain and the key to the content.
    await using daemon = await reachDaemon(context);
    if (daemon !== null) return await daemon.call({ call: "audit.verify" });
  }
  const path = file ?? context.home.audit;
  if (!existsSync(path)) {
    if (file !== undefined) throw usage(`there is no file ${path}`, "name an audit.db, or leave it out");
    throw new CommandError(
      EXIT.notReady,
      `there is no log yet in ${context.home.root}`,
      "it begins with: wirken start",
    );
  }
  const { sentences, verify } = await import("../../../audit/verify.ts");
  // The keychain is not asked here: that is said, and is not the same as a keychain that holds nothing.
  const pin = { state: "unreachable" } as const;
  const options = { live: file === undefined, pin, ...(vkey === undefined ? {} : { vkey }) };
  const verdict = await verify(path, options, shown(context)).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "AUDIT_UNREADABLE")) throw error;
    throw new CommandError(EXIT.notReady, error.message, "nothing was checked", { cause: error });
  });
  const { state } = verdict;
  return { state, sentences: sentences(verdict), verdict: { ...verdict } };
}

/** How far it is, where somebody watches. */
function shown({ terminal }: Context): (progress: { readonly rows: number; readonly of: number | null }) => void {
  if (!terminal.interactive) return () => undefined;
  return ({ rows, of }) => {
    const line = of === null ? "copying the log" : rows < of ? `checking row ${rows} of ${of}` : "";
    process.stderr.write(`\r\u001b[K${line}`);
  };
}

function statusOf(state: AnswerTo<"audit.verify">["state"]): ExitStatus {
  switch (state) {
    case "good":
      return EXIT.ok;
    case "broken":
      return EXIT.bad;
    case "unchecked":
      return EXIT.notReady;
  }
}
