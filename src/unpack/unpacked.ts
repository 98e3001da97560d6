import { clashIn, wrongPath } from "../../skills/path.ts";
import { shown, SkillError } from "../../skills/skill-error.ts";
import { checkAmount, type SkillFile } from "../../skills/verify.ts";

/** Folders that an archive may name beside its files. */
const MAX_FOLDERS = 500;

/** What comes out of an archive, as far as it may: nothing of it touches a disk here. */
export class Unpacked {
  readonly #files = new Map<string, SkillFile>();
  #folders = 0;
  #total = 0;

  /** Is there room for one more of this size? @throws {SkillError}. */
  expect(size: number): void {
    checkAmount(this.#files.size + 1, size, this.#total + size);
  }

  file(name: string, bytes: Uint8Array, executable: boolean): void {
    this.expect(bytes.length);
    const path = this.#path(name);
    if (this.#files.has(path)) throw refusedArchive(`it holds the file ${shown(path)} twice`);
    this.#total += bytes.length;
    this.#files.set(path, { bytes, executable });
  }

  folder(name: string): void {
    this.#folders += 1;
    checkAmount(Math.max(0, this.#folders - MAX_FOLDERS), 0, this.#total);
    if (name !== "./" && name !== ".") this.#path(name.replace(/\/$/, ""));
  }

  link(name: string): never {
    throw new SkillError(
      "link",
      `${shown(name)} in the archive is a link: a skill has none`,
      "put the file itself there",
    );
  }

  /** The skill's files: below the one folder that holds everything, where there is one. @throws {SkillError}. */
  finish(): Map<string, SkillFile> {
    const paths = [...this.#files.keys()];
    const clash = clashIn(paths);
    if (clash !== null) throw refusedArchive(`two paths in it differ by case only: ${shown(clash)}`);
    if (this.#files.has("SKILL.md")) return this.#files;
    const top = paths[0]?.split("/")[0] ?? "";
    if (top === "" || !paths.every((path) => path.startsWith(`${top}/`))) return this.#files;
    return new Map([...this.#files].map(([path, file]) => [path.slice(top.length + 1), file]));
  }

  #path(name: string): string {
    const path = name.startsWith("./") ? name.slice(2) : name;
    const wrong = wrongPath(path);
    if (wrong !== null)
      throw new SkillError(
        "path",
        `the path ${shown(name)} in the archive is refused: it ${wrong}`,
        "have it packed again",
      );
    return path;
  }
}

export function refusedArchive(why: string, options?: ErrorOptions): SkillError {
  return new SkillError(
    "malformed",
    `the archive is refused: ${why}`,
    "pack the skill's folder as .zip or .tar.gz again",
    options,
  );
}
