import { type BigIntStats, lstatSync } from "node:fs";
import { Directory } from "./directory.ts";
import { WorkspaceError } from "./workspace-error.ts";

/** A folder's name: one component, the same in every file system, and no name of a person's making that a row could not show. */
export const FOLDER_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
/** Folders of one workspace. */
export const MAX_FOLDERS = 32;
/** What everybody who talks to an agent shares, as it is called in each person's own workspace. */
export const SHARED = "shared";

/** A directory of this machine that is part of a workspace, under a name of its own. */
export interface Folder {
  /** The first component of its paths in the workspace. */
  readonly name: string;
  /** Where it is, links resolved. */
  readonly path: string;
  /** May it be changed? */
  readonly write: boolean;
  /** The very directory that was meant, as {@link identityOf} says it: another one in its place is not entered. */
  readonly identity: string;
}

/** Where an agent's files are: a directory, and the folders that are part of it. */
export interface Place {
  readonly workspace: string;
  readonly folders: readonly Folder[];
}

/** `device:inode` of a directory; null: there is none (a symbolic link is none). */
export function identityOf(path: string): string | null {
  const found = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return found?.isDirectory() === true ? textOf(found) : null;
}

function textOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** What is wrong with a folder, in a sentence; null: it is the directory that was meant. */
export function wrongWith(folder: Pick<Folder, "name" | "path" | "identity">): string | null {
  let now: string | null;
  try {
    now = identityOf(folder.path);
  } catch {
    now = null;
  }
  if (now === null)
    return `the folder ${folder.name} is not there any more: ${folder.path} vanished, or is no directory`;
  if (now !== folder.identity)
    return `the folder ${folder.name} was replaced: ${folder.path} is another directory than the one that was added`;
  return null;
}

/** Opens a folder that is still the one that was meant. @throws {WorkspaceError} FOLDER_GONE */
export function enterFolder(folder: Folder): Directory {
  const wrong = wrongWith(folder);
  if (wrong !== null) throw new WorkspaceError("FOLDER_GONE", wrong);
  let directory: Directory;
  try {
    directory = Directory.open(folder.path);
  } catch (cause) {
    throw new WorkspaceError(
      "FOLDER_GONE",
      `the folder ${folder.name} cannot be opened: ${folder.path} does not allow it`,
      { cause },
    );
  }
  if (directory.identity === folder.identity) return directory;
  directory[Symbol.dispose]();
  throw new WorkspaceError("FOLDER_GONE", `the folder ${folder.name} was replaced while it was opened`);
}
