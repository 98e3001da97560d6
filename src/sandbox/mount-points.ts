import { fchownSync, lstatSync, mkdirSync, readlinkSync, rmdirSync, statSync, symlinkSync, unlinkSync } from "node:fs";
import { SandboxError } from "./command.ts";
import { Directory } from "./directory.ts";
import type { Folder } from "./folder.ts";

/** Makes what folders are mounted on, or reached by, in a workspace's own directory. An empty directory of that name is taken for it; whatever else has
 *  that name stays, and keeps commands from running until it is moved.
 *  @param kind an empty directory to mount on; a link where there are no mounts.
 *  @throws {SandboxError} if the name is taken. */
export function placeFolders(workspace: string, folders: readonly Folder[], kind: "directory" | "link"): void {
  if (folders.length === 0) return;
  using top = Directory.open(workspace);
  for (const folder of folders) {
    const at = top.at(folder.name);
    const found = lstatSync(at, { throwIfNoEntry: false });
    try {
      if (kind === "directory") {
        if (found?.isDirectory() === true) continue;
        // A link by that name is one of ours, or a command's: nothing is lost with it.
        if (found?.isSymbolicLink() === true) unlinkSync(at);
        mkdirSync(at, 0o755);
        own(top, folder.name, workspace);
      } else {
        if (found?.isSymbolicLink() === true) {
          if (readlinkSync(at) === folder.path) continue;
          unlinkSync(at);
        } else if (found !== undefined) rmdirSync(at);
        symlinkSync(folder.path, at);
      }
    } catch (cause) {
      throw new SandboxError(
        `the folder ${folder.name} cannot be seen by commands, because something else has its name in ${workspace}: move that away`,
        { cause },
      );
    }
  }
}

/** As root it belongs to whoever the workspace does. */
function own(top: Directory, name: string, workspace: string): void {
  if (process.getuid?.() !== 0) return;
  using made = top.child(name);
  const { uid, gid } = statSync(workspace);
  fchownSync(made.fd, uid, gid);
}
