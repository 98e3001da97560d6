import { statSync } from "node:fs";
import { resolve } from "node:path";
import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { SkillSource } from "../../ipc/skill-calls.ts";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT, type ExitStatus } from "../exit-status.ts";
import type { OperatorPort } from "../operator-port.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";

const Options = z.object({ json: z._default(z.boolean(), false), accept: z.optional(z.string()) });

export function skillsInstallCommand(context: Context): Command {
  return new Command("install")
    .summary("use a skill: its signature is checked, and you are shown what it wants")
    .description("Nothing of it is used before its signature is good and you have accepted what it wants.")
    .argument("<from>", "a folder, a .zip or .tar.gz, an https address of one, or the name of a skill that is shipped")
    .option(
      "--accept <digest>",
      "accept what it wants without being asked: the first 16 digits or more of its digest, as a look without a terminal prints it",
    )
    .option("--json", "print one JSON object")
    .action((from: string, options: unknown) =>
      context.run(
        async () => {
          const source = sourceOf(from);
          await using operator = await reachOperator(context);
          return await install(context, operator, source, Options.parse(options));
        },
        { network: true },
      ),
    );
}

export function skillsUpdateCommand(context: Context): Command {
  return new Command("update")
    .summary("take an installed skill anew from where it came from; you are shown what it wants more than before")
    .argument("<name>", "as in: wirken skills list")
    .option("--accept <digest>", "accept what it wants without being asked, as with install")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(
        async () => {
          await using operator = await reachOperator(context);
          const { source, state, digest } = await operator.call({ call: "skill.show", name });
          if (source === null)
            throw new CommandError(EXIT.usage, `${name} came with this build: it is as new as that`, "update Wirken");
          return await install(
            context,
            operator,
            named(source) ? { from: "name", name } : sourceOf(source),
            Options.parse(options),
            state === "active" ? digest : null,
          );
        },
        { network: true },
      ),
    );
}

/** Did it come by its name: with this build, or from a list? */
function named(source: string): boolean {
  return source === "bundled" || source.startsWith("index:");
}

/** What somebody means by a word. @throws {CommandError} usage. */
function sourceOf(text: string): SkillSource {
  if (text.startsWith("https://")) return { from: "url", url: text };
  if (/^[a-z]+:\/\//.test(text)) throw new CommandError(EXIT.usage, "a skill is taken from https:// only", "");
  const path = resolve(text);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory() === true) return { from: "folder", path };
  if (found !== undefined) {
    if (/\.zip$/i.test(path)) return { from: "archive", path, kind: "zip" };
    if (/\.(tar\.gz|tgz)$/i.test(path)) return { from: "archive", path, kind: "tar.gz" };
    throw new CommandError(
      EXIT.usage,
      `${printable(text)} is neither a folder nor a .zip or .tar.gz`,
      "a skill's folder has a SKILL.md in it",
    );
  }
  if (/^[a-z0-9-]{1,64}$/.test(text)) return { from: "name", name: text };
  throw new CommandError(
    EXIT.usage,
    `${printable(text)} is not there`,
    "give a folder, an archive, an https address or a name",
  );
}

async function install(
  context: Context,
  operator: OperatorPort,
  source: SkillSource,
  { json, accept }: z.infer<typeof Options>,
  /** Of these very files, if they are in use and nothing is to be done then. */
  inUse: string | null = null,
): Promise<ExitStatus> {
  const { terminal } = context;
  const looked = await operator.call({ call: "skill.look", source });
  if (looked.digest === inUse) {
    terminal.print(json ? JSON.stringify(looked) : `${looked.name} ${looked.version} is what is there, and in use`);
    return EXIT.ok;
  }
  if (!json) for (const line of lookedLines(looked)) terminal.say(printable(line));
  if (accept === undefined && !terminal.interactive)
    throw new CommandError(
      EXIT.usage,
      "there is no terminal to ask on",
      `if it may do that: --accept ${looked.digest.slice(0, 16)}`,
    );
  const accepted =
    accept === undefined
      ? /^y(es)?$/i.test(
          (await terminal.ask(looked.more.length > 0 ? "accept that too? (yes/no) " : "use it? (yes/no) ")).trim(),
        )
      : accept.length >= 16 && looked.digest.startsWith(accept.toLowerCase());
  if (!accepted) {
    if (accept === undefined) terminal.say("nothing was installed");
    else
      throw new CommandError(
        EXIT.refused,
        "this is not the skill whose digest you gave",
        `its digest is ${looked.digest}`,
      );
    return EXIT.refused;
  }
  const answer = await operator.call({ call: "skill.install", digest: looked.digest });
  terminal.print(json ? JSON.stringify(answer) : `${answer.name} ${answer.version ?? ""} is in use`);
  for (const lack of json ? [] : answer.lacks) terminal.say(printable(`it does not work yet: ${lack}`));
  return EXIT.ok;
}

function lookedLines({
  name,
  version,
  description,
  signer,
  own,
  files,
  digest,
  wants,
  installed,
  more,
  lacks,
}: AnswerTo<"skill.look">): string[] {
  return [
    `${name} ${version}, signed by ${signer}${own ? "" : " (somebody else: what it says is taken as a stranger's words)"}`,
    description.replaceAll(/\s+/g, " "),
    `${files} ${files === 1 ? "file" : "files"}, digest ${digest.slice(0, 16)}`,
    wants.length === 0 ? "it wants nothing besides being read" : "it wants to, as far as you may yourself:",
    ...wants.map((want) => `  ${want}`),
    ...(installed === null ? [] : [`in use now is ${installed}`]),
    ...(installed !== null && more.length === 0 ? ["it wants no more than that one"] : []),
    ...(more.length === 0 ? [] : ["MORE than that one:", ...more.map((want) => `  ${want}`)]),
    ...lacks.map((lack) => `it will not work yet: ${lack}`),
  ];
}
