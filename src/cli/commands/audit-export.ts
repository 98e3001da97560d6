import { resolve } from "node:path";
import { Command, Option } from "commander";
import * as z from "zod/mini";
import { SessionId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import type { CallOf } from "../operator-port.ts";
import { pointInTime } from "../point-in-time.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const CONTENT = ["none", "commitments", "full"] as const;

const Options = z.object({
  out: z.string().check(z.minLength(1)),
  session: z.optional(z.string()),
  from: z.optional(z.string()),
  to: z.optional(z.string()),
  content: z.enum(CONTENT),
  json: z._default(z.boolean(), false),
});

export function auditExportCommand(context: Context): Command {
  return new Command("export")
    .summary("write a folder that an outsider can check without us")
    .description(
      "Writes rows, the tree of hashes, proofs, checkpoints and keys into one folder, with VERIFY.md, which says how to check it with tools that are not ours.\n" +
        "Of what is not exported, the folder holds nothing but hashes. That it was exported is recorded.",
    )
    .requiredOption("--out <folder>", "a folder that is not there yet")
    .option("--session <id>", "only rows of this session")
    .option("--from <time>", "only rows from this time on: 2026-11-28, 2026-11-28T14:03, 3d")
    .option("--to <time>", "only rows before this time; a day is its beginning")
    .addOption(
      new Option("--content <what>", "of what was said: nothing, its commitments, or all of it with its salts")
        .choices(CONTENT)
        .default("commitments"),
    )
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const parsed = Options.parse(options);
        const call = callOf(parsed);
        const stop = new AbortController();
        const pressed = (): void => stop.abort();
        process.once("SIGINT", pressed);
        try {
          await using operator = await reachOperator(context);
          const answer = await operator.call(call, { signal: stop.signal, onEvent: shown(context) });
          context.terminal.print(parsed.json ? JSON.stringify(answer) : sentences(answer).join("\n"));
          return EXIT.ok;
        } finally {
          process.off("SIGINT", pressed);
        }
      }),
    );
}

function callOf({ out, session, from, to, content }: z.infer<typeof Options>): CallOf<"audit.export"> {
  const id = session === undefined ? null : SessionId.safeParse(session);
  if (id?.success === false) throw usage("that is not a session's id", "it begins with s_");
  const now = Date.now();
  return {
    call: "audit.export",
    out: resolve(out),
    session: id?.data ?? null,
    since: from === undefined ? null : pointInTime(from, "--from", now),
    until: to === undefined ? null : pointInTime(to, "--to", now),
    content,
  };
}

/** How far it is, where somebody watches. */
function shown({ terminal }: Context): (event: { readonly event: string }) => void {
  const Progress = z.object({ event: z.literal("progress"), done: z.int(), of: z.int() });
  return (event) => {
    const progress = Progress.safeParse(event);
    if (!terminal.interactive || !progress.success) return;
    const { done, of } = progress.data;
    process.stderr.write(`\r\u001b[K${done < of ? `writing row ${done} of ${of}` : ""}`);
  };
}

function sentences(answer: AnswerTo<"audit.export">): string[] {
  const { rows, size, from, to, parts, files, bytes, out, digest, vkey, proofs } = answer;
  const which = rows === size ? `all ${size} rows` : `${rows} of ${size} rows (#${from} to #${to - 1})`;
  return [
    `exported ${which} to ${printable(out)}: ${files} files, ${bytes} bytes`,
    ...(rows === size ? [] : [`${proofs} proofs; of the other rows it holds nothing but hashes`]),
    ...(parts === 0 ? [] : [`content: ${parts} parts are in it, readable by whoever has the folder`]),
    `manifest: SHA-256 ${digest}`,
    `key: ${vkey}`,
    "hand the folder over with its VERIFY.md, and the key by another way than the folder",
  ];
}
