import { chownSync, fchownSync, readdirSync } from "node:fs";
import { Directory } from "./directory.ts";

/** As whom commands run when the daemon runs as root: nobody's number, in the range that systemd leaves unused.
 *  @see https://systemd.io/UIDS-GIDS/ */
const COMMAND_USER = 61_100;

/** As root, a workspace belongs to the user as whom its commands run; one that is root's still is given to them, with what root has in it, before
 *  any command ran there.
 *  @returns that user; null when not root, where commands run as the user we are. */
export function ownerOf(workspace: string): number | null {
  if (process.getuid?.() !== 0) return null;
  using top = Directory.open(workspace);
  const { uid } = top.stat();
  if (uid !== 0) return uid;
  give(top);
  fchownSync(top.fd, COMMAND_USER, COMMAND_USER);
  return COMMAND_USER;
}

function give(directory: Directory): void {
  for (const name of readdirSync(directory.self)) {
    const found = directory.look(name);
    if (found === null || found.uid !== 0) continue;
    if (found.isDirectory()) {
      using child = directory.child(name);
      give(child);
      fchownSync(child.fd, COMMAND_USER, COMMAND_USER);
      // A second name of a file elsewhere would be given away with it.
    } else if (found.isFile() && found.nlink === 1) {
      chownSync(directory.at(name), COMMAND_USER, COMMAND_USER);
    }
  }
}
