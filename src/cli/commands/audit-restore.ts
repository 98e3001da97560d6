import { basename } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import type { Restored } from "../../supervisor/restore.ts";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { fail, reachDaemon } from "../reach.ts";
import { reasonOf } from "../reason.ts";
import { askedHidden } from "../secret-input.ts";
import { pairs } from "../table.ts";

const Options = z.object({
  json: z._default(z.boolean(), false),
  reason: z.optional(z.string().check(z.maxLength(500))),
});

export function auditRestoreCommand(context: Context): Command {
  return new Command("restore")
    .summary("keep a log that cannot be continued, and begin a new one that names it")
    .description(
      "The damaged file is kept read-only under a name with the date. The new log's first row says which it follows, how far that went, who began it and why. Credentials stay; who is let in, and every remembered approval, is given anew.",
    )
    .option("--reason <text>", "why the log before is not continued")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.refused} if nothing is wrong with the log.`)
    .action((options: unknown) =>
      context.run(async () => {
        const { json, reason: given } = Options.parse(options);
        const reason = await reasonOf(context, given, "why is the log before not continued? ");
        await refuseWhileRunning(context);
        const { restoreOffline } = await import("../../supervisor/offline.ts");
        const restored = await restoreOffline(context.home, { reason, ask: () => passphrase(context) }).catch(
          (error: unknown) => fail(error),
        );
        context.terminal.print(json ? JSON.stringify(restored) : restoredText(restored));
        return EXIT.ok;
      }),
    );
}

async function refuseWhileRunning(context: Context): Promise<void> {
  await using daemon = await reachDaemon(context);
  if (daemon !== null)
    throw new CommandError(EXIT.notReady, "the daemon runs, and holds its log", "end it with: wirken stop");
}

async function passphrase({ terminal }: Context): Promise<Uint8Array> {
  if (terminal.interactive) return await askedHidden(terminal, "Passphrase of the vault: ");
  throw new CommandError(
    EXIT.notReady,
    "the vault is locked by a passphrase, and there is no terminal to ask for it",
    "give it in WIRKEN_VAULT_PASSPHRASE_FILE",
  );
}

/** What `audit restore` says: what was kept, what is new, and what has to be done again. */
export function restoredText(restored: Restored): string {
  const { kept, rows, predecessor, origin, vkey, ahead, people } = restored;
  const again = [
    people.length === 0
      ? "people: nobody but you was let in"
      : `people: only you are let in; pair again: ${people.map(({ name, role }) => `${printable(name)} (${role})`).join(", ")}`,
    "your own accounts on channels: write to the bot, and approve the code it answers with: wirken pair approve CODE --role owner",
    "approvals that were remembered: each is asked again when it is needed",
    "anchors of the log: the log before had its own; each witness is to be told the new key",
  ];
  return [
    pairs([
      ["kept", `${basename(kept)}, read-only, ${rows} rows; check it with: wirken audit verify ${kept}`],
      ["was", predecessor],
      ...(ahead === null ? [] : [["ahead of it", `a checkpoint of ${ahead} rows, kept elsewhere`] as const]),
      ["new log", origin],
      ["its key", vkey],
    ]),
    [
      "credentials, configuration and workspaces are as they were. To be done again:",
      ...again.map((line) => `- ${line}`),
    ].join("\n"),
    "go on with: wirken start",
  ].join("\n\n");
}
