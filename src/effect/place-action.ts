import * as z from "zod/mini";
import { FOLDER_NAME, MAX_FOLDERS } from "../sandbox/folder.ts";

/** Where an action takes place, as it stands in the action. */

/** SHA-256 of a file's bytes, lower-case hex. */
export const Digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
/** Relative to the workspace, resolved: no `.`, no `..`, no symbolic link left in it. The workspace itself is `.`. */
export const Path = z.string().check(z.minLength(1), z.maxLength(4096));
/** The workspace's directory on this machine. */
export const Workspace = z.string().check(z.minLength(1), z.maxLength(4096));
/** A folder that is part of the workspace in this action. One that `write` is false for is not changed by it, whatever else it may be. */
const FolderInAction = z.strictObject({
  name: z.string().check(z.regex(FOLDER_NAME)),
  path: z.string().check(z.minLength(1), z.maxLength(4096)),
  write: z.boolean(),
  /** The very directory: `device:inode`. */
  identity: z.string().check(z.regex(/^\d{1,20}:\d{1,20}$/)),
});
/** Those that it can reach; left out where there are none. */
export const Folders = z.optional(z.array(FolderInAction).check(z.minLength(1), z.maxLength(MAX_FOLDERS)));
