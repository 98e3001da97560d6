import { chownSync, fchownSync, readdirSync } from "node:fs";
import { sep } from "node:path";
import { Directory } from "./directory.ts";
import type { Place } from "./folder.ts";

/** As whom commands run when the daemon runs as root: nobody's number, in the range that systemd leaves unused.
 *  @see https://systemd.io/UIDS-GIDS/ */
const COMMAND_USER = 61_100;

/** As root, a workspace belongs to the user as whom its commands run; one that is root's still is given to them, with what root has in it, before
 *  any command ran there.
 *  @returns that user; null when not root, where commands run as the user we are. */
export function ownerOf(workspace: string): number | null {
  return process.getuid?.() === 0 ? given(workspace, COMMAND_USER) : null;
}

/** The same of a workspace, with those of its folders that are our own, which lie in the data directory: what all people share, say. A folder of somebody
 *  else's stays theirs. */
export function ownerOfPlace({ workspace, folders }: Place, home: string): number | null {
  const owner = ownerOf(workspace);
  if (owner !== null) for (const { path } of folders) if (path.startsWith(`${home}${sep}`)) given(path, owner);
  return owner;
}

/** @returns whose it is now. */
function given(path: string, user: number): number {
  using top = Directory.open(path);
  const { uid } = top.stat();
  if (uid !== 0) return uid;
  give(top, user);
  fchownSync(top.fd, user, user);
  return user;
}

function give(directory: Directory, user: number): void {
  for (const name of readdirSync(directory.self)) {
    const found = directory.look(name);
    if (found === null || found.uid !== 0) continue;
    if (found.isDirectory()) {
      using child = directory.child(name);
      give(child, user);
      fchownSync(child.fd, user, user);
      // A second name of a file elsewhere would be given away with it.
    } else if (found.isFile() && found.nlink === 1) {
      chownSync(directory.at(name), user, user);
    }
  }
}
