import * as z from "zod/mini";
import type { ToolAction } from "../../effect/action.ts";
import { type Effects, type Folder, INSIDE, type Located, type Place, WorkspaceError } from "../../effect/effects.ts";
import { placed } from "../../effect/action.ts";
import type { TurnContext } from "../turn.ts";
import type { ToolDescription } from "../../ipc/completion.ts";

/** Where a path takes place: in the workspace's own directory alone, or in the folder that it leads into as well. */
export function placeOfPath({ workspace, folders }: Place, { path, folder }: Located): Place {
  if (folder !== null) return { workspace, folders: [folder] };
  // Of the whole workspace the folders are a part.
  return { workspace, folders: path === "." ? unchanged(folders) : [] };
}

/** Where a file is, and how an action says so: in the workspace, or, by its exact path, outside of it. @throws {WorkspaceError} */
export function fileAt(
  turn: CallTurn,
  path: string,
  look: Look,
): { readonly located: Located; readonly at: { workspace: string; folders?: Folder[]; outside?: true } } {
  try {
    const located = look.locate(turn, path);
    return { located, at: placed(placeOfPath(turn, located)) };
  } catch (error) {
    if (!(error instanceof WorkspaceError) || error.code !== "PATH_OUTSIDE" || !isElsewhere(path, turn)) throw error;
    return { located: look.outside(path), at: { workspace: "/", outside: true } };
  }
}

/** Is it the path of another place of this machine, rather than one out of the workspace by a way up? */
function isElsewhere(path: string, { workspace }: CallTurn): boolean {
  return path.startsWith("/") && ![INSIDE, workspace].some((top) => path === top || path.startsWith(`${top}/`));
}

/** @throws {ArgumentsError} for a path that lies in a folder that may only be read. */
export function checkWritable({ path, folder }: Located): void {
  if (folder?.write === false)
    throw new ArgumentsError(`${path} cannot be changed: the folder ${folder.name} was added to be read only`);
}

/** The same folders, none of which may be changed. */
export function unchanged(folders: readonly Folder[]): Folder[] {
  return folders.map((folder) => ({ ...folder, write: false }));
}

// The model is told in sentences what is wrong with its arguments.
z.config(z.locales.en());

/** What a tool looks at to say exactly what it would do. */
export type Look = Pick<
  Effects,
  | "locate"
  | "outside"
  | "base"
  | "named"
  | "sandboxState"
  | "unkept"
  | "credential"
  | "barred"
  | "searching"
  | "recipients"
  | "schedules"
  | "commandReaches"
  | "skills"
  | "mcp"
>;

/** The turn that a call belongs to, as far as it decides what the call would do. */
export type CallTurn = Pick<
  TurnContext,
  | "workspace"
  | "folders"
  | "agent"
  | "principal"
  | "channel"
  | "conversation"
  | "talk"
  | "labels"
  | "chain"
  | "tools"
  | "skills"
>;

/** A tool as the broker knows it. */
export interface Tool {
  readonly name: string;
  /** As the model is shown it. */
  readonly description: ToolDescription;
  /** What a call would do, to the letter.
   *  @param given the model's own JSON, parsed and unchecked.
   *  @throws {ArgumentsError} with what is wrong. @throws {WorkspaceError} for a path that cannot be used. */
  prepare(given: unknown, turn: CallTurn, look: Look): ToolAction;
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
  readonly prepare: (given: z.infer<S>, turn: CallTurn, look: Look) => ToolAction;
}): Tool {
  const { $schema: _, properties, ...rest } = z.toJSONSchema(spec.schema, { io: "input" });
  const parameters = { ...rest, properties: { ...properties, why: WHY } };
  return {
    name: spec.name,
    description: { name: spec.name, description: spec.description, parameters },
    prepare: (given, turn, look) => {
      const parsed = spec.schema.safeParse(withoutWhy(given));
      if (!parsed.success) throw new ArgumentsError(z.prettifyError(parsed.error));
      return spec.prepare(parsed.data, turn, look);
    },
  };
}

/** What every tool takes beside its own arguments, as the model is shown it. It is no part of the action: it changes nothing of what runs. */
export const WHY = {
  type: "string",
  description: "Why you want this, in one sentence: shown to whoever is asked for an approval, as your words.",
} as const;
/** Characters of a reason that are shown; what is longer is cut, and says so. */
export const MAX_WHY = 300;

/** The reason that a model gives with a call, in its own words: unchecked, and decided by nowhere. @returns null: none.
 *  @throws {ArgumentsError} for what is no text. */
export function whyOf(given: unknown): string | null {
  if (typeof given !== "object" || given === null || !("why" in given) || given.why === null) return null;
  if (typeof given.why !== "string")
    throw new ArgumentsError("why is a sentence: give it as a string, or leave it out");
  const why = given.why.trim().toWellFormed();
  if (why === "") return null;
  return why.length <= MAX_WHY ? why : `${why.slice(0, MAX_WHY).toWellFormed()} … (${why.length} characters in all)`;
}

export function withoutWhy(given: unknown): unknown {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return given;
  return Object.fromEntries(Object.entries(given).filter(([name]) => name !== "why"));
}

/** A path as models give it. */
export const PathArgument = z
  .string()
  .check(
    z.minLength(1),
    z.maxLength(4096),
    z.describe(
      "Relative to the workspace, such as src/main.ts; . is the workspace itself. What all people share with this agent is in shared/.",
    ),
  );
