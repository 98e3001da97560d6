import { lstatSync, mkdtempSync, readlinkSync, rmdirSync, rmSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readSkillFolder } from "../../skills/folder.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { bodyOf, checkListed, skillMd, textOf, type VerifiedSkill } from "../../skills/verify.ts";
import type { SkillPort, UsableSkill } from "../effect/skill-port.ts";
import { type Folder, identityOf } from "../sandbox/folder.ts";
import { skillFolder } from "../effect/skills.ts";
import { lacking } from "./skill-needs.ts";
import type { Skills } from "./skills.ts";
import { writeFiles } from "./skill-store.ts";

export interface SkillUseParts {
  readonly skills: Pick<Skills, "peek" | "names">;
  /** The list of an agent; left out: all. */
  readonly only: (agent: string) => readonly string[] | undefined;
  readonly toolchains: () => readonly string[];
}

/** Skills as agents use them. Whatever is asked is answered from bytes that were read and checked for that very answer. */
export class SkillUse implements SkillPort {
  readonly #parts: SkillUseParts;

  constructor(parts: SkillUseParts) {
    this.#parts = parts;
  }

  /** Those that an agent is told of: in use, on its list, and with all that they need. */
  listed(agent: string): UsableSkill[] {
    return this.#parts.skills.names.flatMap((name) => {
      const found = this.find(agent, name);
      return typeof found === "string" ? [] : [found];
    });
  }

  find(agent: string, name: string): UsableSkill | string {
    const only = this.#parts.only(agent);
    const skill = only !== undefined && !only.includes(name) ? null : this.#skill(name);
    if (skill === null) return `there is no skill ${JSON.stringify(name)}`;
    if (typeof skill === "string") return skill;
    const lacks = lacking(skill.manifest.requires, this.#parts.toolchains());
    return lacks.length === 0 ? usable(skill) : `the skill ${name} does not work here: ${lacks.join("; ")}`;
  }

  text(name: string, digest: string, file: string | null): { readonly text: string } | string {
    const skill = this.#same(name, digest);
    if (typeof skill === "string") return skill;
    try {
      if (file === null) return { text: bodyOf(skillMd(skill.files)) };
      const found = skill.files.get(file);
      return found === undefined ? `${name} has no file ${file}` : { text: textOf(found.bytes, file) };
    } catch (error) {
      if (error instanceof SkillError) return error.message;
      throw error;
    }
  }

  folder(name: string, digest: string): Folder | string {
    const skill = this.#same(name, digest);
    if (typeof skill === "string") return skill;
    // Not where it is installed: what is run is what was checked, whatever lies there a moment later.
    const place = mkdtempSync(join(tmpdir(), "wirken-skill-"));
    const path = join(place, "files");
    writeFiles(path, skill.files, 0o755);
    const identity = identityOf(path);
    return identity === null
      ? "its files cannot be put anywhere"
      : { name: skillFolder({ name, digest }), path, write: false, identity };
  }

  changed(name: string, digest: string, path: string): string | null {
    const skill = this.#same(name, digest);
    if (typeof skill === "string") return skill;
    try {
      checkListed(readSkillFolder(path), skill.manifest.files, []);
      return null;
    } catch (error) {
      if (error instanceof SkillError) return `the files of the skill ${name} were changed: ${error.message}`;
      throw error;
    }
  }

  release(path: string, mount: string): void {
    try {
      // A link to it where nothing can be mounted; else an empty folder, and no other goes.
      if (lstatSync(mount).isSymbolicLink()) {
        if (readlinkSync(mount) === path) unlinkSync(mount);
      } else rmdirSync(mount);
    } catch {
      // It was never there, or somebody has put something into it.
    }
    const place = join(path, "..");
    if (
      /\/wirken-skill-[A-Za-z0-9]{6}$/.test(place) &&
      lstatSync(place, { throwIfNoEntry: false })?.isDirectory() === true
    )
      rmSync(place, { recursive: true, force: true });
  }

  #skill(name: string): VerifiedSkill | string | null {
    const standing = this.#parts.skills.peek(name);
    if (standing === null) return null;
    switch (standing.state) {
      case "active":
        return standing.skill;
      case "off":
        return `the skill ${name} is not in use: its owner has to accept what it wants (wirken skills install ${name})`;
      case "refused":
        return `the skill ${name} is refused: ${standing.error.message}`;
    }
  }

  #same(name: string, digest: string): VerifiedSkill | string {
    const skill = this.#skill(name) ?? `there is no skill ${name} any more`;
    if (typeof skill === "string" || skill.digest === digest) return skill;
    return `the skill ${name} is another one since it was read: read it again`;
  }
}

/** What was said of a skill as it was verified, for as long as that very one is used: to read its key again costs a turn a quarter of a millisecond. */
const USABLE = new WeakMap<VerifiedSkill, UsableSkill>();

function usable(skill: VerifiedSkill): UsableSkill {
  const known = USABLE.get(skill);
  if (known !== undefined) return known;
  const { manifest, digest, signer, files } = skill;
  const { name, version, description, permissions } = manifest;
  const made = {
    name,
    version,
    digest,
    description,
    signer: signer.name,
    own: signer.own,
    limits: permissions,
    files: [...files].map(([path, { executable }]) => ({ path, executable })),
  };
  USABLE.set(skill, made);
  return made;
}
