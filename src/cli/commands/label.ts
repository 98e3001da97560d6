import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import { SessionId } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { moment } from "../moment.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Show = z.object({ json: z._default(z.boolean(), false) });
const Clear = z.extend(Show, { session: z.optional(z.string()), allFiles: z._default(z.boolean(), false) });

export function labelCommand(context: Context): Command {
  return new Command("label")
    .summary("what conversations and files hold that nobody typed, or that is somebody's")
    .addCommand(show(context))
    .addCommand(clear(context));
}

function show(context: Context): Command {
  return new Command("show")
    .summary("conversations with labels, and files that count as untrusted")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Show.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "label.show" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.sessions.length + answer.files.length === 0 && !answer.lost)
          context.terminal.say("nothing has a label");
        else context.terminal.print(labelText(answer));
        return EXIT.ok;
      }),
    );
}

/** What `label show` says. */
export function labelText({ sessions, files, lost }: AnswerTo<"label.show">): string {
  const talks = sessions.map(({ session, channel, untrusted, private: whose }) => [
    session,
    channel ?? "-",
    untrusted ? "untrusted" : "-",
    whose.length === 0 ? "-" : printable(`private: ${whose.join(", ")}`),
  ]);
  return [
    ...(talks.length === 0 ? [] : [table(["session", "where", "from outside", "whose"], talks)]),
    ...(files.length === 0
      ? []
      : [
          table(
            ["untrusted file", "meant is"],
            files.map(({ path, since }) => [
              printable(path),
              since === null ? "this file" : `what changed in it since ${moment(since)}`,
            ]),
          ),
        ]),
    ...(lost
      ? ["what was erased said which files are untrusted: until wirken label clear --all-files, every file counts so"]
      : []),
  ].join("\n\n");
}

function clear(context: Context): Command {
  return new Command("clear")
    .summary("say that they are of no account any more")
    .description(
      "Only after you have looked: what an untrusted file or conversation holds may try to have things sent elsewhere.",
    )
    .argument("[path]", "a file, or a directory with all below it")
    .option("--session <id>", "a conversation, as in: wirken label show")
    .option("--all-files", "every file")
    .option("--json", "print one JSON object")
    .action((path: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json, session, allFiles } = Clear.parse(options);
        if ([path !== undefined, session !== undefined, allFiles].filter(Boolean).length !== 1)
          throw usage("name a path, a --session, or --all-files: one of them", "wirken label show lists what there is");
        const id = session === undefined ? null : SessionId.safeParse(session);
        if (id?.success === false) throw usage("that is not a session's id", "it begins with s_: wirken label show");
        await using operator = await reachOperator(context);
        const answer = await operator.call({
          call: "label.clear",
          session: id?.data ?? null,
          path: path === undefined ? null : resolve(path),
        });
        const what = answer.cleared === 1 ? "1 label is" : `${answer.cleared} labels are`;
        context.terminal.print(json ? JSON.stringify(answer) : `${what} cleared`);
        return EXIT.ok;
      }),
    );
}
