import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { table } from "../table.ts";
import { skillsInstallCommand, skillsUpdateCommand } from "./skills-install.ts";
import { skillsNewCommand } from "./skills-new.ts";
import { skillsSignCommand } from "./skills-sign.ts";
import { skillsTrustCommand, skillsUntrustCommand } from "./skills-trust.ts";

const Json = z.object({ json: z._default(z.boolean(), false) });

type View = AnswerTo<"skill.list">["skills"][number];

export function skillsCommand(context: Context): Command {
  return new Command("skills")
    .summary("what agents know how to do, from whom, and what it may do")
    .addCommand(list(context))
    .addCommand(show(context))
    .addCommand(skillsInstallCommand(context))
    .addCommand(skillsUpdateCommand(context))
    .addCommand(remove(context))
    .addCommand(verify(context))
    .addCommand(search(context))
    .addCommand(skillsNewCommand(context))
    .addCommand(skillsSignCommand(context))
    .addCommand(skillsTrustCommand(context))
    .addCommand(skillsUntrustCommand(context));
}

function list(context: Context): Command {
  return new Command("list")
    .summary("the skills there are, and whose keys are trusted")
    .option("--json", "print one JSON object")
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "skill.list" });
        if (json) {
          context.terminal.print(JSON.stringify(answer));
          return EXIT.ok;
        }
        if (answer.skills.length === 0) context.terminal.say("there is no skill yet");
        else context.terminal.print(skillsTable(answer.skills));
        if (answer.keys.length > 0)
          context.terminal.print(
            `\n${table(
              ["key", "may sign", "until", "is"],
              answer.keys.map(({ name, names, until, state, own, of, identity }) => [
                of === "root" ? `${name} (root)` : name,
                identity === null ? names : `${names}, by ${identity}`,
                until?.slice(0, 10) ?? "for ever",
                own && state === "trusted" ? "trusted, your own" : state,
              ]),
            )}`,
          );
        for (const { name, note, state } of answer.skills)
          if (note !== null && state === "refused") context.terminal.say(printable(`${name}: ${note}`));
        return EXIT.ok;
      }),
    );
}

/** What `skills list` says. */
export function skillsTable(skills: readonly View[]): string {
  return table(
    ["skill", "version", "state", "from", "signed by", "does"],
    skills.map(({ name, version, state, from, signer, description }) => [
      name,
      version ?? "",
      state === "off" ? "off: install it to use it" : state,
      from,
      signer ?? "",
      shortened(description ?? ""),
    ]),
  );
}

/** Of a description in a table, in characters. */
const SHORT = 60;

function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length <= SHORT ? line : `${line.slice(0, SHORT - 3).toWellFormed()}...`;
}

function show(context: Context): Command {
  return new Command("show")
    .summary("what a skill does, what it may do, and every file of it")
    .argument("<name>", "as in: wirken skills list")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "skill.show", name });
        context.terminal.print(json ? JSON.stringify(answer) : showText(answer));
        return answer.state === "refused" ? EXIT.bad : EXIT.ok;
      }),
    );
}

function showText(skill: AnswerTo<"skill.show">): string {
  const { name, version, state, from, signer, digest, description, wants, lacks, files, instructions, source, note } =
    skill;
  return [
    `${name} ${version ?? ""} (${from}, ${state})`,
    ...(description === null ? [] : [printable(description)]),
    ...(note === null ? [] : [printable(note)]),
    ...(signer === null ? [] : [`signed by ${signer}; its files are ${digest ?? ""}`]),
    ...(source === null ? [] : [printable(`from ${source}`)]),
    wants.length === 0 ? "it may do nothing besides being read" : "it may, as far as you may:",
    ...wants.map((want) => printable(`  ${want}`)),
    ...lacks.map((lack) => printable(`it does not work yet: ${lack}`)),
    ...files.map(({ path, size, mode }) => `  ${mode} ${String(size).padStart(8)}  ${path}`),
    ...(instructions === null ? [] : ["", ...instructions.split("\n").map(printable)]),
  ].join("\n");
}

function remove(context: Context): Command {
  return new Command("remove")
    .summary("take an installed skill away; running conversations have it no more with their next message")
    .argument("<name>", "as in: wirken skills list")
    .option("--json", "print one JSON object")
    .action((name: string, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const answer = await operator.call({ call: "skill.remove", name });
        context.terminal.print(json ? JSON.stringify(answer) : `${answer.name} is removed`);
        return EXIT.ok;
      }),
    );
}

function verify(context: Context): Command {
  return new Command("verify")
    .summary("read every file and check it against its signature")
    .argument("[name]", "one skill; all of them if left out")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if one is refused.`)
    .action((name: string | undefined, options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { skills } = await operator.call({ call: "skill.verify", name: name ?? null });
        if (json) context.terminal.print(JSON.stringify({ skills }));
        else context.terminal.print(skills.map((one) => verdictOn(one)).join("\n"));
        return skills.some(({ state }) => state === "refused") ? EXIT.bad : EXIT.ok;
      }),
    );
}

function verdictOn({ name, state, signer, digest, note }: View): string {
  return printable(
    state === "refused"
      ? `${name}: REFUSED: ${note ?? ""}`
      : `${name}: good, signed by ${signer ?? ""} (${digest?.slice(0, 16) ?? ""})`,
  );
}

function search(context: Context): Command {
  return new Command("search")
    .summary("skills that are here or on the list in config.json, by words of what they do")
    .argument("<words...>", "all of them have to occur")
    .option("--json", "print one JSON object")
    .action((words: string[], options: unknown) =>
      context.run(async () => {
        const { json } = Json.parse(options);
        await using operator = await reachOperator(context);
        const { skills } = await operator.call({ call: "skill.list" });
        const listed = (await operator.call({ call: "skill.index" })).skills.filter(
          ({ name }) => !skills.some((one) => one.name === name),
        );
        const wanted = words.map((word) => word.toLowerCase());
        const fits = ({ name, description }: { readonly name: string; readonly description: string | null }): boolean =>
          wanted.every((word) => `${name} ${description ?? ""}`.toLowerCase().includes(word));
        const [here, elsewhere] = [skills.filter(fits), listed.filter(fits)];
        if (json) context.terminal.print(JSON.stringify({ skills: here, index: elsewhere }));
        else if (here.length + elsewhere.length === 0) context.terminal.say("no skill says anything of that");
        else if (here.length > 0) context.terminal.print(skillsTable(here));
        if (!json && elsewhere.length > 0)
          context.terminal.print(
            table(
              ["on the list", "version", "does"],
              elsewhere.map(({ name, version, description }) => [name, version, shortened(description)]),
            ),
          );
        return EXIT.ok;
      }),
    );
}
