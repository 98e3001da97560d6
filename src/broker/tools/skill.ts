import * as z from "zod/mini";
import { SkillName } from "../../effect/skill-action.ts";
import { ArgumentsError, defineTool } from "./tool.ts";

export const skill = defineTool({
  name: "skill",
  description:
    "Reads a skill: its instructions, or, with file, one of its files. From then on to the end of the turn your calls are limited to what the skill was accepted for, and its scripts can be run.",
  schema: z.strictObject({
    name: SkillName.check(z.describe("As your list of skills has it.")),
    file: z
      .optional(z.string().check(z.regex(/^[A-Za-z0-9._+/-]{1,200}$/, "that is no file of a skill")))
      .check(z.describe("A file that its instructions name, such as references/formats.md.")),
  }),
  prepare: ({ name, file }, turn, look) => {
    const found = look.skills.find(turn.agent, name);
    if (typeof found === "string") throw new ArgumentsError(found);
    if (turn.skills.full && turn.skills.digestOf(name) === null)
      throw new ArgumentsError("too many skills were read in this turn already: go on with those, or end it");
    if (file !== undefined && !found.files.some(({ path }) => path === file))
      throw new ArgumentsError(
        `${name} has no file ${file}; it has ${found.files
          .slice(0, 30)
          .map(({ path }) => path)
          .join(", ")}`,
      );
    return {
      type: "skill.read",
      skill: name,
      version: found.version,
      digest: found.digest,
      signer: found.signer,
      file: file ?? null,
    };
  },
});
