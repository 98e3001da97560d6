import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lchownSync,
  mkdirSync,
  openSync,
  renameSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { Directory } from "./directory.ts";
import type { State } from "./snapshot.ts";

/** Puts one path back as it was: by open directories, so that no link on the way leads elsewhere. What stands there meanwhile is replaced; a directory
 *  that is not empty is not.
 *  @param before null: nothing was there. @param bytes of the file as it was.
 *  @throws {Error} of the system's, or if it cannot be done. */
export function putBack(root: string, path: string, before: State | null, bytes: Uint8Array | null): void {
  const names = path.split("/");
  const name = names.pop() ?? "";
  const held = [Directory.open(root)];
  try {
    for (const above of names) {
      const last = held.at(-1);
      if (last === undefined) return;
      if (last.look(above) === null) {
        if (before === null) return;
        mkdirSync(last.at(above), 0o755);
        own(last, above, root);
      }
      held.push(last.child(above));
    }
    const directory = held.at(-1);
    if (directory === undefined) return;
    put(directory, name, root, before, bytes);
    fsyncSync(directory.fd);
  } finally {
    for (const one of held) one[Symbol.dispose]();
  }
}

function put(directory: Directory, name: string, root: string, before: State | null, bytes: Uint8Array | null): void {
  const found = directory.look(name);
  if (before?.kind === "directory") {
    if (found?.isDirectory() !== true) {
      if (found !== null) unlinkSync(directory.at(name));
      mkdirSync(directory.at(name), before.mode);
      own(directory, name, root);
    }
    using child = directory.child(name);
    fchmodSync(child.fd, before.mode);
    return;
  }
  if (found?.isDirectory() === true) rmdirSync(directory.at(name));
  if (before === null) {
    if (found !== null && !found.isDirectory()) unlinkSync(directory.at(name));
    return;
  }
  const temporary = `.wirken-${randomBytes(8).toString("hex")}.tmp`;
  if (before.kind === "link") {
    symlinkSync(before.target, directory.at(temporary));
    ownLink(directory, temporary, root);
  } else if (before.kind === "file" && bytes !== null) {
    if (createHash("sha256").update(bytes).digest("hex") !== before.digest)
      throw new Error("the copy is not the file that it was");
    write(directory, temporary, root, before.mode, bytes);
  } else throw new Error("no copy of it was kept");
  renameSync(directory.at(temporary), directory.at(name));
}

function write(directory: Directory, name: string, root: string, mode: number, bytes: Uint8Array): void {
  const fd = openSync(
    directory.at(name),
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    const owner = ownerOf(root);
    if (owner !== null) fchownSync(fd, owner.uid, owner.gid);
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** As root what is put back belongs to whoever the directory does, as whom commands run. */
function ownerOf(root: string): { readonly uid: number; readonly gid: number } | null {
  return process.getuid?.() === 0 ? statSync(root) : null;
}

function own(directory: Directory, name: string, root: string): void {
  const owner = ownerOf(root);
  if (owner === null) return;
  using made = directory.child(name);
  fchownSync(made.fd, owner.uid, owner.gid);
}

function ownLink(directory: Directory, name: string, root: string): void {
  const owner = ownerOf(root);
  if (owner !== null) lchownSync(directory.at(name), owner.uid, owner.gid);
}
