import { createHash } from "node:crypto";
import * as z from "zod/mini";
import { MessageSend, Reply } from "./message-action.ts";
import { Digest, Folders, Path, Workspace } from "./place-action.ts";
import { ScheduleAdd, ScheduleList, ScheduleRemove } from "./schedule-action.ts";
import { AgentSpawn } from "./spawn-action.ts";
import { SkillOfCommand, SkillRead } from "./skill-action.ts";
import { HttpRequest, WebSearch } from "./web-action.ts";
import { McpCall, McpPrompt, McpRead, McpSample, McpTell } from "./mcp-action.ts";
import { HostName } from "../ipc/egress-frames.ts";
import { CommandId } from "../ipc/ids.ts";
import type { Folder, Place } from "../sandbox/folder.ts";

/** What a tool call does, to the letter. These bytes are what a card is rendered from, what is recorded, and the only thing an effect reads. */

/** A file outside of every workspace: then the workspace is `/`, and the path the file's own below that. */
const Outside = z.optional(z.literal(true));
/** A person's id, an agent's name, a channel: what the turn says, as rows do. */
const Word = z.string().check(z.regex(/^[a-z0-9][a-z0-9_:-]{0,63}$/));
/** Entries of memory that are shown at once, and bytes of one. */
export const MAX_FOUND = 50;
export const MAX_MEMORY_TEXT = 8_192;
/** Text that survives UTF-8: a lone surrogate would be shown as one thing and written as another. */
const Text = z.string().check(z.refine((text) => text.isWellFormed(), "holds half a character"));

/** Seconds after which a command is killed if nothing else was asked for, and the most that one may ask for: the second where nobody waits for it. */
export const USUAL_SECONDS = 60;
export const MOST_SECONDS = 300;
export const MOST_SECONDS_IN_BACKGROUND = 3600;
/** Hosts that one command may reach. */
export const MAX_HOSTS = 8;
/** Of what would not be put back after a command so many are named. */
export const MAX_UNKEPT = 20;
/** Characters of a script: it is one argument of a shell, and the kernel takes no longer one. */
export const MAX_SCRIPT = 100_000;

/** A command: either `argv`, which no shell reads, or `script`, which one does. */
const Exec = z
  .strictObject({
    type: z.literal("exec"),
    workspace: Workspace,
    folders: Folders,
    argv: z.optional(
      z.array(Text.check(z.minLength(1), z.maxLength(131_072))).check(z.minLength(1), z.maxLength(1024)),
    ),
    script: z.optional(
      z.strictObject({ shell: z.enum(["sh", "bash"]), text: Text.check(z.minLength(1), z.maxLength(MAX_SCRIPT)) }),
    ),
    /** May the command change the workspace? */
    write: z.boolean(),
    /** What it may reach, on ports 443 and 80, in order of the alphabet. */
    hosts: z.optional(z.array(HostName).check(z.minLength(1), z.maxLength(MAX_HOSTS))),
    /** Whose scripts it has beside it, in the folder of that name. */
    skill: z.optional(SkillOfCommand),
    /** It goes on while the agent does something else. */
    background: z.optional(z.literal(true)),
    stdin: z.nullable(Text),
    timeoutSeconds: z.int().check(z.gte(1), z.lte(MOST_SECONDS_IN_BACKGROUND)),
    /** Workspace files that it names, as they were when this was asked (for a command that may write, or reach a host). */
    files: z.array(z.strictObject({ path: Path, digest: Digest })).check(z.maxLength(64)),
    /** What would not be put back if the turn were taken back: files too large, or too many, to be kept as they were. */
    unkept: z.optional(
      z.strictObject({
        named: z.array(Text.check(z.maxLength(4200))).check(z.minLength(1), z.maxLength(MAX_UNKEPT)),
        more: z.int(),
      }),
    ),
    /** Only where less is kept from it than usual: in another sandbox than was shown it does not run. */
    sandbox: z.optional(z.literal("weaker")),
  })
  .check(z.refine(({ argv, script }) => (argv === undefined) !== (script === undefined), "is either argv or a script"));

export const ToolAction = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("file.read"),
    workspace: Workspace,
    folders: Folders,
    outside: Outside,
    path: Path,
    /** The first line wanted, from 1. */
    offset: z.int().check(z.gte(1)),
    /** Lines. */
    limit: z.int().check(z.gte(1), z.lte(10_000)),
  }),
  z.strictObject({
    type: z.literal("file.list"),
    workspace: Workspace,
    folders: Folders,
    path: Path,
    depth: z.int().check(z.gte(1), z.lte(5)),
  }),
  z.strictObject({
    type: z.literal("file.search"),
    workspace: Workspace,
    folders: Folders,
    path: Path,
    /** Within one line. */
    pattern: Text.check(z.minLength(1), z.maxLength(1000), z.regex(/^[^\0\n]+$/)),
    /** An extended regular expression of POSIX; false: it is taken as it stands. */
    regexp: z.boolean(),
    ignoreCase: z.boolean(),
    /** A shell pattern for the names of the files; null: all of them. */
    files: z.nullable(Text.check(z.minLength(1), z.maxLength(200), z.regex(/^[^\0\n]+$/))),
    /** Matches that are shown. */
    limit: z.int().check(z.gte(1), z.lte(1000)),
  }),
  z.strictObject({
    type: z.literal("file.write"),
    tool: z.enum(["write_file", "edit_file"]),
    workspace: Workspace,
    folders: Folders,
    outside: Outside,
    path: Path,
    /** One of the files that steer an agent, an editor or a package manager. */
    protected: z.boolean(),
    /** The file as it was when this was asked; null: there was none. Another file at the time of writing is not written. */
    base: z.nullable(Digest),
    /** From that file to `content`, in unified form. */
    diff: Text,
    /** The whole file as it will be. */
    content: Text,
  }),
  Exec,
  z.strictObject({
    type: z.literal("process"),
    do: z.enum(["list", "output", "stop"]),
    /** The command that is meant; null: all of them. */
    command: z.nullable(CommandId),
    /** Can what it wrote come from elsewhere? */
    network: z.boolean(),
  }),
  HttpRequest,
  WebSearch,
  McpCall,
  McpRead,
  McpPrompt,
  McpSample,
  McpTell,
  MessageSend,
  Reply,
  ScheduleAdd,
  ScheduleList,
  ScheduleRemove,
  z.strictObject({
    type: z.literal("memory.read"),
    agent: Word,
    principal: Word,
    /** The conversation's. */
    channel: Word,
    /** Also what was kept on other channels? */
    everywhere: z.boolean(),
    /** Words; null: the newest. */
    query: z.nullable(Text.check(z.minLength(1), z.maxLength(500))),
    limit: z.int().check(z.gte(1), z.lte(MAX_FOUND)),
  }),
  z.strictObject({
    type: z.literal("memory.write"),
    agent: Word,
    principal: Word,
    channel: Word,
    text: Text.check(z.minLength(1), z.maxLength(MAX_MEMORY_TEXT)),
    /** The entry that it takes the place of. */
    replaces: z.nullable(Text.check(z.maxLength(40))),
    /** Of what the conversation holds: may somebody else's words be in it, and whose is it? */
    untrusted: z.boolean(),
    private: z.array(Word).check(z.maxLength(1000)),
  }),
  AgentSpawn,
  SkillRead,
]);
export type ToolAction = z.infer<typeof ToolAction>;
export type ActionOfType<T extends ToolAction["type"]> = Extract<ToolAction, { type: T }>;

/** What is run for an action: program and arguments. */
export function commandOf({ argv, script }: ActionOfType<"exec">): readonly string[] {
  return script === undefined ? (argv ?? []) : [`/bin/${script.shell}`, "-c", script.text, script.shell];
}

/** Where an action takes place. */
export function placeOf(action: {
  readonly workspace: string;
  readonly folders?: readonly Folder[] | undefined;
}): Place {
  return { workspace: action.workspace, folders: action.folders ?? [] };
}

/** Where an action takes place, as it stands in the action: without folders nothing is said of them. */
export function placed({ workspace, folders }: Place): { workspace: string; folders?: Folder[] } {
  return folders.length === 0 ? { workspace } : { workspace, folders: [...folders] };
}

/** An action that is not in its one form. */
export class ActionError extends Error {
  override readonly name = "ActionError";
  readonly code = "ACTION_MALFORMED";
}

/** The one form of an action: JSON in the order of the schema, UTF-8. @throws {z.core.$ZodError} if it is none. */
export function encodeAction(action: ToolAction): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(ToolAction.parse(action)));
}

/** Reads an action back. @throws {ActionError} if the bytes are not exactly what {@link encodeAction} makes. */
export function decodeAction(bytes: Uint8Array): ToolAction {
  let action: ToolAction;
  try {
    action = ToolAction.parse(JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)));
  } catch (cause) {
    throw new ActionError("these bytes are no action", { cause });
  }
  if (!Buffer.from(bytes).equals(encodeAction(action))) throw new ActionError("this action is not in its one form");
  return action;
}

/** SHA-256, lower-case hex. */
export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
