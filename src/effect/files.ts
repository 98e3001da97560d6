import { WorkspaceError } from "../sandbox/workspace-error.ts";
import { existsSync, realpathSync } from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { ownPlaces, refusalOfFile } from "../sandbox/refusal.ts";
import { type Entry, type FileRead, type Located, type Ours, Workspace } from "../sandbox/workspace.ts";
import type { Place } from "../sandbox/folder.ts";
import { type ActionOfType, placeOf } from "./action.ts";
import { plain } from "./plain-name.ts";

/** Bytes of a file that the file tools read or write: a larger one is for exec. */
export const MAX_FILE = 4 * 1024 * 1024;
/** Bytes that are hashed for one command: all the files its argv names. */
const MAX_NAMED = 256 * 1024 * 1024;
/** Entries of one listing. */
const MAX_ENTRIES = 1000;
const MAX_NAMED_FILES = 64;

/** A text file as it is now. */
export interface Base {
  readonly digest: string;
  readonly text: string;
}

/** The text of a file, or null where there is none.
 *  @throws {WorkspaceError} if it cannot be read, or is no UTF-8. */
export function baseOf(ours: Ours, place: Place, path: string, outside: boolean): Base | null {
  const workspace = outside ? workspaceOf(ours, { ...place, path, outside }) : new Workspace(place, ours);
  const located = workspace.locate(path);
  if (located.kind === "missing") return null;
  const file = workspace.read(located.path, MAX_FILE);
  return { digest: file.digest, text: textOf(file) };
}

/** The workspace files that a command's arguments name, whole or after a `=`, with what they hold now.
 *  @throws {WorkspaceError} if they are too large to be hashed, or too many. */
export function namedFiles(ours: Ours, place: Place, argv: readonly string[]): { path: string; digest: string }[] {
  const workspace = new Workspace(place, ours);
  const found = new Map<string, string>();
  let room = MAX_NAMED;
  for (const word of argv) {
    for (const path of new Set([word, word.slice(word.indexOf("=") + 1)])) {
      const file = tryRead(workspace, path, room);
      if (file === null || found.has(file.path)) continue;
      room -= file.bytes.length;
      found.set(file.path, file.digest);
      if (found.size > MAX_NAMED_FILES) {
        throw new WorkspaceError(
          "FILE_TOO_LARGE",
          `a command that writes may name at most ${MAX_NAMED_FILES} files: give it a directory or a pattern`,
        );
      }
    }
  }
  return [...found].map(([path, digest]) => ({ path, digest }));
}

/** What is no file of the workspace is an argument like any other. */
function tryRead(workspace: Workspace, path: string, room: number): FileRead | null {
  if (path === "") return null;
  try {
    return workspace.locate(path).kind === "file" ? workspace.read(path, room) : null;
  } catch (cause) {
    if (cause instanceof WorkspaceError && cause.code !== "FILE_TOO_LARGE") return null;
    throw cause;
  }
}

/** @throws {WorkspaceError} if a file is not the one any more that the action names. */
export function checkNamed(ours: Ours, action: ActionOfType<"exec">): void {
  const workspace = workspaceOf(ours, action);
  for (const { path, digest } of action.files) {
    if (workspace.read(path, MAX_NAMED, "none").digest !== digest) {
      throw new WorkspaceError("FILE_CHANGED", `${path} is not the file any more that it was when this was asked`);
    }
  }
}

/** @throws {WorkspaceError} if the file is not the one any more that the action names. */
export function checkBase(ours: Ours, action: ActionOfType<"file.write">): void {
  const workspace = workspaceOf(ours, action);
  const now = workspace.locate(action.path);
  if (now.path !== action.path || now.protected !== action.protected) {
    throw new WorkspaceError("FILE_CHANGED", `${action.path} leads elsewhere now than when this was asked`);
  }
  if (action.base === null) {
    if (now.kind !== "missing")
      throw new WorkspaceError("FILE_EXISTS", `${action.path} exists now, and did not when this was asked`);
    return;
  }
  if (now.kind === "missing" || workspace.read(action.path, MAX_FILE, "none").digest !== action.base) {
    throw new WorkspaceError("FILE_CHANGED", `${action.path} is not the file any more that it was when this was asked`);
  }
}

/** The file that an action writes over, so that it can be put back. @throws {WorkspaceError} */
export function bytesBefore(ours: Ours, action: ActionOfType<"file.write">): Uint8Array | null {
  return action.base === null ? null : workspaceOf(ours, action).read(action.path, MAX_FILE, "none").bytes;
}

/** Where an action's file is: in its workspace, or, by its exact path, outside of every one. @throws {WorkspaceError} for a file that no agent is given. */
function workspaceOf(
  ours: Ours,
  action: Parameters<typeof placeOf>[0] & { readonly path?: string; readonly outside?: true | undefined },
): Workspace {
  if (action.outside !== true) return new Workspace(placeOf(action), ours);
  const refusal = refusalOfFile(`/${action.path ?? ""}`, { ...ownPlaces(ours.home), executable: ours.executable });
  if (refusal !== null) throw new WorkspaceError("PATH_FORBIDDEN", `${refusal}: no agent is given it`);
  return Workspace.outside(ours);
}

/** A file outside of every workspace, by its own path, links resolved. A link that comes to stand on the way later is not followed.
 *  @throws {WorkspaceError} PATH_FORBIDDEN for one that no agent is given; PATH_OUTSIDE for what is no absolute path. */
export function locateOutside(ours: Ours, path: string): Located {
  if (!isAbsolute(path)) throw new WorkspaceError("PATH_OUTSIDE", `${JSON.stringify(path)} leads out of the workspace`);
  let real: string;
  try {
    real = existsSync(path) ? realpathSync(path) : join(realpathSync(dirname(path)), basename(path));
  } catch (cause) {
    throw new WorkspaceError("PATH_MISSING", `${path} does not exist`, { cause });
  }
  return workspaceOf(ours, { workspace: "/", path: real.slice(1), outside: true }).locate(real.slice(1));
}

/** Some lines of a file, as they are. */
export function readLines(ours: Ours, action: ActionOfType<"file.read">): string {
  const file = workspaceOf(ours, action).read(action.path, MAX_FILE, "none");
  const lines = textOf(file).split("\n");
  // A last newline ends the last line and begins none.
  if (lines.at(-1) === "") lines.pop();
  const from = action.offset - 1;
  const wanted = lines.slice(from, from + action.limit);
  if (wanted.length === lines.length) return lines.length === 0 ? `[${action.path} is empty]` : wanted.join("\n");
  if (wanted.length === 0) return `[${action.path} has ${lines.length} lines: none from ${action.offset} on]`;
  return `${wanted.join("\n")}\n[lines ${action.offset} to ${from + wanted.length} of ${lines.length}]`;
}

/** One line an entry: directories end in `/`, links say where they point, files how many bytes they have. */
export function listEntries(ours: Ours, action: ActionOfType<"file.list">): string {
  const { path, entries, more } = workspaceOf(ours, action).list(action.path, action.depth, MAX_ENTRIES);
  if (entries.length === 0) return `[${path} is empty]`;
  const lines = entries.map(lineOf);
  if (more) lines.push(`[only the first ${MAX_ENTRIES} entries: list a directory below, or use a smaller depth]`);
  return lines.join("\n");
}

function lineOf(entry: Entry): string {
  const name = plain(entry.path);
  switch (entry.kind) {
    case "directory":
      return `${name}/`;
    case "link":
      return `${name} -> ${plain(entry.target ?? "")}`;
    case "file":
      return `${name}  ${entry.size}`;
    case "gone":
      return `${name}/  (this folder vanished or was replaced)`;
    case "other":
      return `${name}  (no regular file)`;
  }
}

/** Writes what was decided, if its base is still there. */
export function writeFile(ours: Ours, action: ActionOfType<"file.write">): string {
  checkBase(ours, action);
  const content = new TextEncoder().encode(action.content);
  workspaceOf(ours, action).replace(action.path, action.base, content, MAX_FILE);
  return `${action.base === null ? "created" : "wrote"} ${action.path} (${content.length} bytes)`;
}

function textOf(file: FileRead): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(file.bytes);
  } catch (cause) {
    throw new WorkspaceError(
      "NOT_A_FILE",
      `${file.path} is not UTF-8 text (${file.bytes.length} bytes): use exec to look into it`,
      { cause },
    );
  }
}
