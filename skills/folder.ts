import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { wrongPath } from "./path.ts";
import { shown, SkillError } from "./skill-error.ts";
import { checkAmount, type SkillFile, type SkillFiles } from "./verify.ts";

/** Reads every file of a skill's folder, each once. What lies there later is nothing to whoever uses these bytes.
 *  @param skip whether a file or folder at the top is left out: when a skill is signed, what a repository has besides.
 *  @throws {SkillError} for a link, a device, a path that no skill has, and too much of it. */
export function readSkillFolder(folder: string, skip: (name: string) => boolean = () => false): SkillFiles {
  const files = new Map<string, SkillFile>();
  let total = 0;
  let seen = 0;
  const enter = (at: string, depth: number): void => {
    const names = readdirSync(at === "" ? folder : join(folder, at)).toSorted();
    for (const name of names) {
      if (depth === 0 && skip(name)) continue;
      seen += 1;
      checkAmount(Math.max(files.size, seen - MAX_FOLDERS), 0, total);
      const path = at === "" ? name : `${at}/${name}`;
      const wrong = wrongPath(path);
      if (wrong !== null)
        throw new SkillError("path", `the file ${shown(path)} is refused: its path ${wrong}`, "rename or remove it");
      const found = lstatSync(join(folder, path));
      if (found.isDirectory()) enter(path, depth + 1);
      else if (found.isFile()) {
        const file = readOnce(join(folder, path), path);
        total += file.bytes.length;
        files.set(path, file);
        checkAmount(files.size, file.bytes.length, total);
      } else throw notAFile(path, found.isSymbolicLink());
    }
  };
  try {
    if (!lstatSync(folder).isDirectory()) throw notAFile(folder, lstatSync(folder).isSymbolicLink());
    enter("", 0);
  } catch (cause) {
    if (cause instanceof SkillError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new SkillError("unreadable", `it cannot be read (${code})`, "look at whether it is there, and whose it is", {
      cause,
    });
  }
  return files;
}

/** Folders and empty ones beside as many files as a skill may have. */
const MAX_FOLDERS = 500;

/** Through one descriptor, which no link is followed to: what was looked at is what is read. */
function readOnce(place: string, path: string): SkillFile {
  const fd = openSync(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const found = fstatSync(fd);
    if (!found.isFile()) throw notAFile(path, false);
    checkAmount(0, found.size, 0);
    return { bytes: readFileSync(fd), executable: (found.mode & 0o100) !== 0 };
  } finally {
    closeSync(fd);
  }
}

function notAFile(path: string, link: boolean): SkillError {
  return new SkillError(
    "link",
    `${shown(path)} is ${link ? "a symbolic link" : "neither a file nor a folder"}: a skill has none`,
    "put the file itself there",
  );
}
