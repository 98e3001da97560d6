import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs";
import { basename, resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import type { Replaced } from "../../supervisor/vault-replace.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { newPassphrase } from "../new-passphrase.ts";
import { chooseProtector, ProtectOption } from "../new-protector.ts";
import { printable } from "../printable.ts";
import { fail, reachOperator } from "../reach.ts";
import { askedHidden, readSecret } from "../secret-input.ts";
import { SecretOptions, secretSource } from "../secret-options.ts";
import { pairs } from "../table.ts";
import { refuseWhileRunning, typedWord } from "../typed-word.ts";

const BackupOptions = z.extend(SecretOptions, {
  json: z._default(z.boolean(), false),
  out: z.string(),
  passphrase: z._default(z.boolean(), false),
});
const RestoreOptions = z.extend(SecretOptions, {
  json: z._default(z.boolean(), false),
  passphrase: z._default(z.boolean(), false),
  protect: ProtectOption,
  confirm: z.optional(z.string()),
});
/** Ten thousand secrets of 64 KiB each, and room. */
const MAX_BACKUP_BYTES = 800_000_000;

const OPENS = {
  phrase: "the recovery phrase",
  passphrase: "its passphrase",
  both: "the recovery phrase or its passphrase",
};

export function vaultBackupCommand(context: Context): Command {
  return new Command("backup")
    .summary("write everything in the vault to one sealed file")
    .description(
      "The recovery phrase opens it; with --passphrase, a passphrase does too. Nothing in it can be read without.",
    )
    .requiredOption("--out <file>", "a new file, outside of the data directory")
    .option("--passphrase", "give it a passphrase of its own")
    .option("--stdin", "read that passphrase from standard input")
    .option("--file <path>", "read that passphrase from a file")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json, out, passphrase, ...given } = BackupOptions.parse(options);
        const wanted = passphrase || given.stdin || given.file !== undefined;
        const source = wanted ? secretSource(given, context.terminal, "wirken vault backup --out FILE") : null;
        const payload = source === null ? new Uint8Array(0) : await newPassphrase(context.terminal, source);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "vault.backup", out: resolve(out) }, { payload });
        context.terminal.print(
          json
            ? JSON.stringify(answer)
            : pairs([
                ["backup", answer.path],
                ["bytes", String(answer.bytes)],
                ["opens with", OPENS[answer.opens]],
                [
                  "restore it with",
                  `wirken vault restore ${answer.path}${answer.opens === "passphrase" ? " --passphrase" : ""}`,
                ],
              ]),
        );
        return EXIT.ok;
      }),
    );
}

export function vaultRestoreCommand(context: Context): Command {
  return new Command("restore")
    .summary("make a vault from a backup, on this machine or a new one")
    .description(
      "Its log begins anew and names the one before, for a log is not continued from an older copy. What is in the place of the vault is kept, read-only.",
    )
    .argument("<file>", "as wirken vault backup wrote it")
    .option("--passphrase", "open it with its passphrase instead of the recovery phrase")
    .option("--stdin", "read the phrase or passphrase from standard input")
    .option("--file <path>", "read it from a file")
    .option("--protect <by>", "keychain or passphrase; the keychain where one works, if left out")
    .option("--confirm <word>", "restore, where there is a vault already and no terminal")
    .option("--json", "print one JSON object")
    .action((file: string, options: unknown) =>
      context.run(async () => {
        const parsed = RestoreOptions.safeParse(options);
        const how = `wirken vault restore ${file}`;
        if (!parsed.success)
          throw usage("a vault is protected by the keychain or by a passphrase", `${how} --protect keychain`);
        const { json, passphrase, protect, confirm, ...given } = parsed.data;
        const bytes = readBackup(file);
        await refuseWhileRunning(context, "vault");
        if (existsSync(context.home.vault))
          await typedWord(
            context,
            "restore",
            "there is a vault here: it and its log are kept beside the new ones, read-only, and used no more",
            confirm,
          );
        const source = secretSource(given, context.terminal, how);
        const question = passphrase
          ? "Passphrase of the backup (not shown): "
          : "The 24 words, with a space between two; or leave it with Ctrl-C and say --passphrase (not shown): ";
        const typed =
          source.stdin || source.file !== null ? readSecret(source) : await askedHidden(context.terminal, question);
        const { restoreVaultOffline } = await import("../../supervisor/offline-vault.ts");
        const protector = await chooseProtector(context, protect, how);
        const by = passphrase ? "passphrase" : "phrase";
        const replaced = await restoreVaultOffline(context.home, bytes, { by, bytes: typed }, protector).catch(
          (error: unknown) => fail(error),
        );
        context.terminal.print(json ? JSON.stringify(replaced) : replacedText(replaced));
        return EXIT.ok;
      }),
    );
}

function readBackup(path: string): Uint8Array {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw usage(`cannot read ${path} (${code})`, "is it written right?");
  }
  try {
    const { size } = fstatSync(descriptor);
    if (size > MAX_BACKUP_BYTES) throw usage(`${path} is larger than any backup of a vault`, "is it the right one?");
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size; ) {
      const read = readSync(descriptor, bytes, at, size - at, at);
      if (read === 0) break;
      at += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** What `vault restore` and `vault reset` say at their end. */
export function replacedText({ kept, lost, credentials, predecessor, origin, vkey, protector }: Replaced): string {
  const names = lost.map((scope) => printable(scope.replace(/^(?:channel|provider)\//, "")));
  const again = [
    ...names.map((name) => `enrol again: wirken vault add ${name}`),
    ...(predecessor === null ? [] : ["people and approvals: each is let in and asked anew, as by a new log"]),
  ];
  return [
    pairs([
      ["vault", `new, with ${credentials === 1 ? "1 credential" : `${credentials} credentials`}`],
      ["protected by", protector === "none" ? "nothing yet" : `the ${protector}`],
      ...(kept.length === 0 ? [] : [["kept, read-only", kept.map((path) => basename(path)).join(", ")] as const]),
      ...(predecessor === null ? [] : [["log before", predecessor] as const]),
      ["new log", origin],
      ["its key", vkey],
    ]),
    ...(predecessor === null
      ? []
      : ["the log of before still verifies; what was said in it cannot be read without the keys that its vault held"]),
    ...(again.length === 0 ? [] : [["to be done again:", ...again.map((line) => `- ${line}`)].join("\n")]),
    "go on with: wirken start",
  ].join("\n\n");
}
