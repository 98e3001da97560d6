import type { Folder } from "../sandbox/folder.ts";

/** What a skill may have done under it, by kind. */
export interface SkillLimits {
  readonly tools: readonly string[];
  readonly hosts: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly credentials: readonly string[];
  readonly commands: readonly string[];
}

/** A skill that an agent may use, as it was checked just now. */
export interface UsableSkill {
  readonly name: string;
  readonly version: string;
  /** Names these very files. */
  readonly digest: string;
  readonly description: string;
  readonly signer: string;
  /** Is what it says the operator's own word? Else it is a stranger's. */
  readonly own: boolean;
  readonly limits: SkillLimits;
  readonly files: readonly { readonly path: string; readonly executable: boolean }[];
}

/** Skills, each read and checked anew whenever it is asked for. Filled by the supervisor. */
export interface SkillPort {
  /** @returns in words why an agent cannot use it. */
  find(agent: string, name: string): UsableSkill | string;
  /** One of its files as text; null: its instructions. @returns in words why it cannot be had: also where it is another skill by now. */
  text(name: string, digest: string, file: string | null): { readonly text: string } | string;
  /** A folder with its files, for the commands of one turn. @returns in words why there is none. */
  folder(name: string, digest: string): Folder | string;
  /** Is that folder what it was made as, and the skill still in use? @returns in words why not; null: it is. */
  changed(name: string, digest: string, path: string): string | null;
  /** Nobody needs that folder any more. @param mount what it was mounted on in a workspace: goes too, if there is nothing in it. */
  release(path: string, mount: string): void;
}
