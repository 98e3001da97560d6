import { availableParallelism } from "node:os";
import { isSea } from "node:sea";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { Command, Option } from "commander";
import * as z from "zod/mini";
import type { VerifyOptions } from "../../../audit/verify.ts";
import { threadsOf } from "../../executable/thread.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { closeNetwork } from "../../supervisor/own-walls.ts";
import { readBounded } from "../bounded-file.ts";
import { readCertificates } from "../certificate-option.ts";
import { CommandError, usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachDaemon } from "../reach.ts";

/** A checkpoint is a few hundred bytes; nobody's note is larger than this. */
const MAX_NOTE = 64 * 1024;

const Options = z.object({
  json: z._default(z.boolean(), false),
  deep: z._default(z.boolean(), false),
  key: z.optional(z.string().check(z.maxLength(512))),
  vkey: z.optional(z.string().check(z.maxLength(512))),
  pin: z.optional(z.string()),
  ca: z.optional(z.string()),
});

/** What the auditor was given. */
interface Given {
  readonly deep: boolean;
  readonly vkey: string | null;
  readonly anchors: readonly { readonly name: string; readonly note: string }[];
  /** Certificates, in DER. */
  readonly authorities: readonly Uint8Array[];
}

export function auditVerifyCommand(context: Context): Command {
  return new Command("verify")
    .summary("check every hash and signature of the log")
    .description(
      "Checks the log of this data directory, an audit.db from anywhere, or the folder of an export. What is named is read as an attacker's; neither the daemon nor the vault is needed.",
    )
    .argument("[path]", "an audit.db, live or copied, or an exported folder")
    .option("--key <vkey>", "the log's public key, as you were given it")
    .addOption(new Option("--vkey <vkey>", "the same").hideHelp())
    .option("--pin <file>", "a checkpoint of it that you kept, or were given")
    .option("--ca <file>", "the root certificate of its timestamp authority, as you were given it")
    .option("--deep", "check the form of every row too, and every page of a log in use")
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      `\nExit status is ${EXIT.bad} if anything was changed, ${EXIT.notReady} if something could not be checked: without a key or a kept checkpoint, whose log it is.`,
    )
    .action((path: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, deep, key, vkey = key, pin, ca } = Options.parse(options);
        // What was given may be an attacker's, and no daemon is asked about it.
        if (path !== undefined || vkey !== undefined || pin !== undefined || ca !== undefined) closeNetwork();
        const authorities = ca === undefined ? [] : await readCertificates(ca);
        const given = { deep, vkey: await keyOf(vkey), anchors: await keptOf(pin), authorities };
        const view = await verdictOf(context, path, given);
        context.terminal.print(json ? JSON.stringify(view) : view.sentences.map((line) => printable(line)).join("\n"));
        return statusOf(view.state);
      }),
    );
}

async function keyOf(vkey: string | undefined): Promise<string | null> {
  if (vkey === undefined) return null;
  const { parseVkey } = await import("../../../audit/note.ts");
  try {
    return parseVkey(vkey).vkey;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(EXIT.usage, `--key: ${why}`, "a key is one word: name+id+base64", { cause });
  }
}

async function keptOf(file: string | undefined): Promise<Given["anchors"]> {
  if (file === undefined) return [];
  const { parseCheckpoint } = await import("../../../audit/note.ts");
  const read = readBounded("--pin", file, MAX_NOTE, "name the file of a checkpoint").toString("utf8");
  // Where it was printed on a terminal and copied from there, its last newline is missing.
  const note = read.endsWith("\n") ? read : `${read}\n`;
  try {
    parseCheckpoint(note);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const hint = "it is what wirken audit checkpoint prints, its last newline included";
    throw new CommandError(EXIT.usage, `--pin ${file}: ${why}`, hint, { cause });
  }
  return [{ name: `the checkpoint in ${basename(file)}`, note }];
}

async function verdictOf(
  context: Context,
  named: string | undefined,
  { deep, vkey, anchors, authorities }: Given,
): Promise<AnswerTo<"audit.verify">> {
  const own = named === undefined && vkey === null && anchors.length === 0 && authorities.length === 0;
  // The daemon also has the pin in the keychain and the key to the content.
  const told = own ? await askDaemon(context) : null;
  // What takes longest is looked at in this process: the daemon has others to answer.
  if (told !== null && (!deep || told.state === "broken")) return told;
  const path = named === undefined ? context.home.audit : logIn(named);
  if (!existsSync(path)) {
    if (named !== undefined) throw usage(`there is no file ${path}`, "name an audit.db, or leave it out");
    throw new CommandError(
      EXIT.notReady,
      `there is no log yet in ${context.home.root}`,
      "it begins with: wirken start",
    );
  }
  // The file may be an attacker's, and nothing here needs a connection.
  closeNetwork();
  const { sentences, verify } = await import("../../../audit/verify.ts");
  // A page of rows is garbage as soon as it was looked at: more room for it is only memory. (The largest size can no longer be set here.)
  setFlagsFromString("--semi-space-growth-factor=1");
  // The keychain is not asked here: that is said, and is not the same as a keychain that holds nothing.
  const pin = { state: "unreachable" } as const;
  const options = {
    live: named === undefined,
    pin,
    deep,
    anchors,
    authorities,
    ...(vkey === null ? {} : { vkey }),
    ...(await threads()),
  };
  const verdict = await verify(path, options, shown(context)).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && error.code === "AUDIT_UNREADABLE")) throw error;
    throw new CommandError(EXIT.notReady, error.message, "nothing was checked", { cause: error });
  });
  const { state, pages } = verdict;
  if (told !== null && state !== "broken")
    return {
      ...told,
      sentences: [
        ...told.sentences.filter((line) => !line.startsWith("pages: ")),
        "deep: every row is in the one form that its values have, and the file is as SQLite would have written it",
      ],
      verdict: { ...told.verdict, deep, pages },
    };
  return { state, sentences: sentences(verdict), verdict: { ...verdict } };
}

/** @returns null where none runs. */
async function askDaemon(context: Context): Promise<AnswerTo<"audit.verify"> | null> {
  await using daemon = await reachDaemon(context);
  return daemon === null ? null : await daemon.call({ call: "audit.verify" });
}

/** Each takes about 20 MB: with more of them a verification would take more than 160. */
const MAX_THREADS = 2;

/** The sources alone are verified in one, and so is a log on a single processor. */
async function threads(): Promise<Pick<VerifyOptions, "threads">> {
  const count = Math.min(MAX_THREADS, availableParallelism());
  if (!isSea() || count < 2) return {};
  const { THREAD_LIMITS } = await import("../../../audit/threads.ts");
  return { threads: { count, start: await threadsOf("span-thread", ["better-sqlite3"], THREAD_LIMITS) } };
}

/** Whoever names a data directory means the log in it. */
function logIn(path: string): string {
  const within = join(path, "audit.db");
  return existsSync(within) && !existsSync(join(path, "bundle.json")) ? within : path;
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
