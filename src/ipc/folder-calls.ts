import * as z from "zod/mini";
import { FolderId, Name, PrincipalId } from "./ids.ts";

/** What the owner may ask about folders of this machine that are part of an agent's workspace. */

const Path = z.string().check(z.minLength(1), z.maxLength(4096), z.regex(/^\/[^\0]*$/));

export const FOLDER_CALLS = [
  z.strictObject({
    call: z.literal("folder.add"),
    path: Path,
    /** Null: made of the directory's own. */
    name: z.nullable(z.string().check(z.maxLength(64))),
    agent: Name,
    write: z.boolean(),
    /** Whose alone it is; null: everybody's who talks to the agent. */
    principal: z.nullable(PrincipalId),
  }),
  z.strictObject({ call: z.literal("folder.list"), agent: z.nullable(Name) }),
  z.strictObject({
    call: z.literal("folder.remove"),
    name: z.string().check(z.maxLength(64)),
    agent: Name,
    /** Left out: whoever's it is. */
    principal: z.optional(z.nullable(PrincipalId)),
  }),
] as const;

const FolderView = z.strictObject({
  folder: FolderId,
  name: z.string(),
  path: z.string(),
  agent: Name,
  write: z.boolean(),
  principal: z.nullable(z.string()),
  /** What that person is called. */
  person: z.nullable(z.string()),
  at: z.string(),
  /** It vanished or was replaced, in a sentence; null: it is the one that was added. */
  wrong: z.nullable(z.string()),
});

export const FOLDER_ANSWERS = {
  "folder.add": FolderView,
  "folder.list": z.strictObject({
    folders: z.array(FolderView),
    /** Those that one can be added for. */
    agents: z.array(Name),
  }),
  "folder.remove": FolderView,
} as const;
