import * as z from "zod/mini";

export const SkillName = z.string().check(z.regex(/^[a-z0-9-]{1,64}$/));
const Digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));

/** Its instructions, or one file of it, into the context. */
export const SkillRead = z.strictObject({
  type: z.literal("skill.read"),
  skill: SkillName,
  version: z.string().check(z.maxLength(32)),
  /** These very files. */
  digest: Digest,
  signer: z.string().check(z.maxLength(100)),
  /** Null: its instructions. */
  file: z.nullable(z.string().check(z.regex(/^[A-Za-z0-9._+/-]{1,200}$/))),
});

/** The skill whose scripts a command has beside it. */
export const SkillOfCommand = z.strictObject({
  name: SkillName,
  digest: Digest,
  folder: z.string().check(z.maxLength(64)),
});
