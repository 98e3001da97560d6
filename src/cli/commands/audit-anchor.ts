import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import { AnchorUrl } from "../../ipc/anchor-frames.ts";
import { Name } from "../../ipc/ids.ts";
import type { AnswerTo } from "../../ipc/operator.ts";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { readCertificates } from "../certificate-option.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import { moment } from "../moment.ts";
import type { CallOf } from "../operator-port.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });
const Adding = z.object({
  json: z._default(z.boolean(), false),
  later: z._default(z.boolean(), false),
  name: z.optional(z.string()),
  ca: z.optional(z.string()),
});

type NewAnchor = CallOf<"audit.anchor.add">["anchor"];
type AnchorView = AnswerTo<"audit.anchor.list">["anchors"][number];

export function auditAnchorCommand(context: Context): Command {
  return new Command("anchor")
    .summary("where checkpoints are kept out of the log's reach")
    .addCommand(addCommand(context))
    .addCommand(listCommand(context))
    .addCommand(removeCommand(context));
}

function addCommand(context: Context): Command {
  return new Command("add")
    .summary("promise an anchor: it is contacted at once")
    .description(
      "Each checkpoint goes to every anchor, and `wirken audit verify` fails when one that is promised has no good proof.",
    )
    .addCommand(
      kind("witness", "a C2SP witness, such as wirken witness serve on another machine")
        .argument("<url>", "its submission prefix")
        .argument("<vkey>", "its public key, as its operator gives it")
        .action((url: string, vkey: string, options: unknown) =>
          added(context, { type: "witness", url: urlOf(url), vkey }, options),
        ),
    )
    .addCommand(
      kind("timestamp", "a timestamp authority (RFC 3161)")
        .argument("<url>", "its address")
        .option(
          "--ca <file>",
          "the root certificate that vouches for it, PEM or DER: without it its signatures are not checked",
        )
        .action(async (url: string, options: unknown) =>
          added(context, { type: "timestamp", url: urlOf(url), certificates: await certificatesOf(options) }, options),
        ),
    )
    .addCommand(
      kind("file", "a file on another disk")
        .argument("<path>", "where the newest checkpoint is kept")
        .action((path: string, options: unknown) => added(context, { type: "file", path: resolve(path) }, options)),
    )
    .addCommand(
      kind("keychain", "the pin in the keychain of the operating system").action((options: unknown) =>
        added(context, { type: "keychain" }, options),
      ),
    );
}

function kind(name: NewAnchor["type"], summary: string): Command {
  return new Command(name)
    .summary(summary)
    .option("--name <name>", "what it is called here")
    .option("--later", "promise it though it does not answer now")
    .option("--json", "print one JSON object");
}

async function certificatesOf(options: unknown): Promise<string[]> {
  const { ca } = Adding.parse(options);
  return ca === undefined ? [] : (await readCertificates(ca)).map((der) => Buffer.from(der).toString("base64"));
}

function urlOf(text: string): string {
  const url = AnchorUrl.safeParse(text);
  if (!url.success) throw usage(`${text} is not an address`, "it begins with https:// or http://");
  return url.data;
}

async function added(context: Context, anchor: NewAnchor, given: unknown): Promise<void> {
  const add = async (): Promise<ExitStatus> => {
    const { json, later, name } = Adding.parse(given);
    const called = name === undefined ? null : nameOf(name);
    await using operator = await reachOperator(context);
    const answer = await operator.call({ call: "audit.anchor.add", name: called, anchor, later });
    context.terminal.print(json ? JSON.stringify(answer) : anchorTable([answer.anchor]));
    for (const note of answer.notes) context.terminal.say(`note: ${note}`);
    if (answer.anchor.state !== "good")
      context.terminal.say("note: until it has answered, wirken audit verify says that it is missing");
    return EXIT.ok;
  };
  // While no daemon runs, a child of this command asks it.
  await context.run(add, { network: true });
}

function nameOf(text: string): string {
  const name = Name.safeParse(text);
  if (!name.success) throw usage(`${text} is not a name`, "use a-z, 0-9 and -, at most 32 characters");
  return name.data;
}

function listCommand(context: Context): Command {
  return new Command("list")
    .summary("every anchor, and what it holds")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.anchor.list" });
        if (json) context.terminal.print(JSON.stringify(answer));
        else if (answer.anchors.length > 0) context.terminal.print(anchorTable(answer.anchors));
        else
          context.terminal.say(
            "wirken: no anchor is promised: nothing out of this user's reach says how long the log was\nhint: on another machine run wirken witness serve --state DIR, and paste here what it prints",
          );
        return EXIT.ok;
      }),
    );
}

function removeCommand(context: Context): Command {
  return new Command("remove")
    .summary("take a promise back; proofs that are stored stay")
    .argument("<name>", "as wirken audit anchor list shows it")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "audit.anchor.remove", name: nameOf(name) });
        context.terminal.print(json ? JSON.stringify(answer) : `removed ${answer.removed}`);
        return EXIT.ok;
      }),
    );
}

const STATES: Readonly<Record<AnchorView["state"], string>> = {
  never: "not reached yet",
  good: "good",
  unreachable: "unreachable",
  refused: "refused",
  conflict: "contradicts this log",
  "new-key": "awaiting new key",
  "bad-answer": "bad answer",
};

function anchorTable(anchors: readonly AnchorView[]): string {
  return table(
    ["anchor", "type", "state", "rows", "up to", "newer", "place", "note"],
    anchors.map(({ name, type, state, size, time, newer, place, note }) => [
      name,
      type,
      STATES[state],
      String(size),
      time === null ? "-" : moment(time),
      String(newer),
      place ?? "-",
      note ?? "",
    ]),
  );
}
