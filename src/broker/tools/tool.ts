import * as z from "zod/mini";
import type { ToolAction } from "../../effect/action.ts";
import type { Effects } from "../../effect/effects.ts";
import type { ToolDescription } from "../../ipc/completion.ts";

// The model is told in sentences what is wrong with its arguments.
z.config(z.locales.en());

/** What a tool looks at to say exactly what it would do. */
export type Look = Pick<Effects, "locate" | "base" | "named" | "sandboxState">;

/** A tool as the broker knows it. */
export interface Tool {
  readonly name: string;
  /** As the model is shown it. */
  readonly description: ToolDescription;
  /** What a call would do, to the letter.
   *  @param given the model's own JSON, parsed and unchecked.
   *  @throws {ArgumentsError} with what is wrong. @throws {WorkspaceError} for a path that cannot be used. */
  prepare(given: unknown, workspace: string, look: Look): ToolAction;
}

/** Arguments that are no call of the tool; the message tells the model what is wrong with them. */
export class ArgumentsError extends Error {
  override readonly name = "ArgumentsError";
  readonly code = "ARGUMENTS_BAD";
}

/** A tool, of the schema that checks its arguments and that the model is shown. */
export function defineTool<S extends z.ZodMiniType>(spec: {
  readonly name: string;
  readonly description: string;
  readonly schema: S;
  readonly prepare: (given: z.infer<S>, workspace: string, look: Look) => ToolAction;
}): Tool {
  const { $schema: _, ...parameters } = z.toJSONSchema(spec.schema, { io: "input" });
  return {
    name: spec.name,
    description: { name: spec.name, description: spec.description, parameters },
    prepare: (given, workspace, look) => {
      const parsed = spec.schema.safeParse(given);
      if (!parsed.success) throw new ArgumentsError(z.prettifyError(parsed.error));
      return spec.prepare(parsed.data, workspace, look);
    },
  };
}

/** A path as models give it. */
export const PathArgument = z
  .string()
  .check(
    z.minLength(1),
    z.maxLength(4096),
    z.describe("Relative to the workspace, such as src/main.ts; . is the workspace itself."),
  );
