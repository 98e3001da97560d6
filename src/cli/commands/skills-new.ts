import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Command } from "commander";
import { isSkillName } from "../../../skills/manifest.ts";
import { CommandError } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";

export function skillsNewCommand(context: Context): Command {
  return new Command("new")
    .summary("begin a skill: a folder with a SKILL.md to fill in")
    .argument("<dir>", "a folder that is not there yet; its name is the skill's")
    .action((dir: string) =>
      context.run(() => {
        const folder = resolve(dir);
        const name = basename(folder);
        if (!isSkillName(name))
          throw new CommandError(
            EXIT.usage,
            `${printable(name)} cannot be a skill's name`,
            "lower-case letters, digits and single hyphens inside, at most 64",
          );
        try {
          mkdirSync(folder);
          writeFileSync(join(folder, "SKILL.md"), draftOf(name), { flag: "wx" });
        } catch (cause) {
          throw new CommandError(
            EXIT.usage,
            `${printable(folder)} is there already, or cannot be made`,
            "give the path of a new folder",
            { cause },
          );
        }
        context.terminal.print(printable(join(folder, "SKILL.md")));
        context.terminal.say(`fill it in, then: wirken skills sign ${printable(dir)} --key FILE`);
        return Promise.resolve(EXIT.ok);
      }),
    );
}

function draftOf(name: string): string {
  return `---
name: ${name}
description: What it does, and when an agent should use it. This line is all that an agent sees at first.
metadata:
  version: "0.1.0"
  wirken:
    tools: []
    commands: []
    hosts: []
    read: []
    write: []
    credentials: []
---

# ${name}

Say step by step what to do. Longer texts go to references/, programs to scripts/.
`;
}
