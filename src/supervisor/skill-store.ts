import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { readSkillFolder } from "../../skills/folder.ts";
import type { SkillFiles } from "../../skills/verify.ts";

/** Of a digest, in the name of a skill's folder. */
const SHORT = 16;

/** The files of installed skills on the disk. Nothing here says whether they are used: a row does, by their digest. */
export class SkillStore {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  folder(name: string, digest: string): string {
    return join(this.#root, `${name}@${digest.slice(0, SHORT)}`);
  }

  /** Every file as it is now. @throws {SkillError}. */
  read(name: string, digest: string): SkillFiles {
    return readSkillFolder(this.folder(name, digest));
  }

  /** Writes a skill beside those that are there: whole, or not at all. */
  write(name: string, digest: string, files: SkillFiles): void {
    const folder = this.folder(name, digest);
    const draft = join(this.#root, `.draft-${process.pid}`);
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    rmSync(draft, { recursive: true, force: true });
    writeFiles(draft, files, 0o700);
    rmSync(folder, { recursive: true, force: true });
    renameSync(draft, folder);
  }

  /** Removes what is in use no more. @param kept the folders that are. */
  sweep(kept: ReadonlySet<string>): void {
    let names: string[];
    try {
      names = readdirSync(this.#root);
    } catch {
      return; // Nothing was ever installed.
    }
    for (const name of names) {
      const path = join(this.#root, name);
      if (/^\.draft-\d+$|^[a-z0-9-]+@[0-9a-f]{16}$/.test(name) && !kept.has(path))
        rmSync(path, { recursive: true, force: true });
    }
  }
}

/** Writes files below a folder that is not there yet. @param mode of every folder: whoever is to read them may not be us. */
export function writeFiles(folder: string, files: SkillFiles, mode: 0o700 | 0o755): void {
  mkdirSync(folder, { recursive: true, mode });
  for (const [path, { bytes, executable }] of files) {
    const place = join(folder, path);
    mkdirSync(dirname(place), { recursive: true, mode });
    const bits = (executable ? 0o755 : 0o644) & mode;
    writeFileSync(place, bytes, { flag: "wx", mode: bits });
    chmodSync(place, bits); // whatever the umask is
  }
}
