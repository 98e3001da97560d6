import type { Place } from "../sandbox/folder.ts";
import { type Ours, Workspace } from "../sandbox/workspace.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";

/** Where files that people send lie in a workspace. */
export const INBOX = "inbox";
/** Names that are tried where one is taken. */
const MAX_TRIES = 100;
/** Characters of a name; file systems take 255 bytes. */
const MAX_NAME = 80;

/** Puts a file that somebody sent into a workspace, under its own name as far as that is one. Nothing is ever written over.
 *  @returns its path in the workspace. @throws {WorkspaceError} if it cannot be put there. */
export function putInInbox(ours: Ours, place: Place, name: string, bytes: Uint8Array): string {
  const workspace = new Workspace(place, ours);
  const plain = fileName(name);
  for (let nth = 1; nth <= MAX_TRIES; nth += 1) {
    const numbered = nth === 1 ? plain : plain.replace(/(\.[^.]*)?$/, `-${nth}$1`);
    let path = `${INBOX}/${numbered}`;
    // A name that means something to other programs means nothing here.
    if (workspace.locate(path).protected) path = `${INBOX}/received-${numbered}`;
    try {
      if (workspace.locate(path).kind !== "missing") continue;
      workspace.replace(path, null, bytes, bytes.length);
      return path;
    } catch (error) {
      if (!(error instanceof WorkspaceError) || error.code !== "FILE_EXISTS") throw error;
    }
  }
  throw new WorkspaceError("FILE_EXISTS", `${INBOX} holds ${MAX_TRIES} files of this name: move some away`);
}

/** A name of somebody else's making as a file can have it: letters, digits, `.`, `_` and `-`, not hidden. */
export function fileName(name: string): string {
  const last = name.normalize("NFC").split(/[/\\]/).at(-1) ?? "";
  const plain = last
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^[._-]+/, "")
    .replace(/[._]+$/, "");
  const dot = plain.lastIndexOf(".");
  const ending = dot > 0 && plain.length - dot <= 12 ? plain.slice(dot) : "";
  const stem = ending === "" ? plain : plain.slice(0, dot);
  const short = stem.slice(0, MAX_NAME - ending.length).replace(/[\ud800-\udbff]$/, "");
  return short === "" ? `file${ending}` : `${short}${ending}`;
}
