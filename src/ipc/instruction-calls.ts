import * as z from "zod/mini";
import { Name } from "./ids.ts";

/** What the owner may ask about files of workspaces that agents are told as instructions. */

/** Their names, in the order in which they are told. */
export const INSTRUCTION_NAMES = ["AGENTS.md", "SOUL.md", "USER.md"] as const;
export type InstructionName = (typeof INSTRUCTION_NAMES)[number];

const Digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));

export const INSTRUCTION_CALLS = [
  z.strictObject({ call: z.literal("instructions.show"), agent: z.nullable(Name) }),
  z.strictObject({
    call: z.literal("instructions.accept"),
    agent: Name,
    path: z.string().check(z.minLength(1), z.maxLength(4096)),
    /** Of the version that was looked at. */
    digest: Digest,
  }),
] as const;

const FileView = z.strictObject({
  agent: Name,
  name: z.enum(INSTRUCTION_NAMES),
  path: z.string(),
  /** Whose alone it is; null: everybody's who talks to the agent. */
  principal: z.nullable(z.string()),
  person: z.nullable(z.string()),
  state: z.enum(["in force", "new", "changed", "unusable"]),
  /** Of what is unusable. */
  why: z.nullable(z.string()),
  digest: z.nullable(z.string()),
  /** From the version that is in force, in unified form. */
  difference: z.string(),
  /** It was written beside something that nobody vouches for. */
  untrusted: z.boolean(),
  /** What looks as if it tried to steer an agent, a sentence each. */
  noticed: z.array(z.string()),
});

export const INSTRUCTION_ANSWERS = {
  "instructions.show": z.strictObject({ files: z.array(FileView) }),
  "instructions.accept": z.strictObject({ agent: Name, path: z.string(), digest: Digest }),
} as const;
