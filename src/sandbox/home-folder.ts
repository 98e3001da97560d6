import { chownSync, mkdirSync } from "node:fs";
import { Directory } from "./directory.ts";

/** What commands have as their home, in the workspace: what programs keep from one run to the next (caches of package managers, say) stays there. */
export const HOME_FOLDER = ".home";
/** What commands have for what they need while they run, in that folder. */
export const TEMPORARY_FOLDER = "tmp";

/** Makes both where they are missing, as the command's own. A link or a file of that name is left as it is: then there is no home.
 *  @param owner as whom the command runs, where we are root.
 *  @returns whether they are there. */
export function makeHome(workspace: string, owner: number | null): boolean {
  using top = Directory.open(workspace);
  try {
    using home = made(top, HOME_FOLDER, owner);
    using temporary = made(home, TEMPORARY_FOLDER, owner);
    void temporary;
    return true;
  } catch {
    return false;
  }
}

function made(parent: Directory, name: string, owner: number | null): Directory {
  if (parent.look(name) === null) {
    mkdirSync(parent.at(name), 0o700);
    if (owner !== null) chownSync(parent.at(name), owner, owner);
  }
  return parent.child(name);
}
