import * as z from "zod/mini";
import type { ToolDescription } from "../../ipc/completion.ts";
import { ArgumentsError, WHY, withoutWhy } from "./tool.ts";

/** Actions of one plan: more are not read. */
const MAX_STEPS = 50;
const MAX_MINUTES = 240;

/** The calls that a plan is made of. They are prepared and shown as they would be each by itself. */
export interface Plan {
  readonly steps: readonly { readonly tool: string; readonly arguments: unknown }[];
  readonly minutes: number;
}

const Steps = z.strictObject({
  steps: z
    .array(
      z.strictObject({
        tool: z.string().check(z.minLength(1), z.maxLength(200), z.describe("The tool's name.")),
        arguments: z.record(z.string(), z.unknown()).check(z.describe("Its arguments, to the letter.")),
      }),
    )
    .check(z.minLength(1), z.maxLength(MAX_STEPS), z.describe("The calls that need an approval, in any order.")),
  minutes: z
    ._default(z.int().check(z.gte(1), z.lte(MAX_MINUTES)), 30)
    .check(z.describe("How long the approval holds; as short as will do.")),
});

const { $schema: _, properties, ...rest } = z.toJSONSchema(Steps, { io: "input" });

/** Not an action of its own: it lets a person approve several of them at once, before they are called. */
export const PLAN: ToolDescription = {
  name: "plan",
  description:
    "Asks once for several exact calls of other tools that would each be asked for. Nothing runs by it: once it is approved, make each call with exactly these arguments. Use it when you know several such calls beforehand.",
  parameters: { ...rest, properties: { ...properties, why: WHY } },
};

/** @param given the model's own JSON, parsed. @throws {ArgumentsError} with what is wrong. */
export function planOf(given: unknown): Plan {
  const parsed = Steps.safeParse(withoutWhy(given));
  if (!parsed.success) throw new ArgumentsError(z.prettifyError(parsed.error));
  return parsed.data;
}
