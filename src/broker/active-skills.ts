import type { SkillLimits, UsableSkill } from "../effect/skill-port.ts";

/** Skills whose instructions are in one context at a time. */
export const MAX_ACTIVE_SKILLS = 8;

const NAMES = ["tools", "hosts", "read", "write", "credentials", "commands"] as const;

/** The skills whose instructions are in the context of a turn: from their first reading to its end, when they are taken out of it. What agents below it do
 *  is under them too. */
export class ActiveSkills {
  readonly #skills = new Map<string, Pick<UsableSkill, "name" | "digest" | "limits">>();
  readonly #folders = new Map<string, string>();

  add(skill: Pick<UsableSkill, "name" | "digest" | "limits">): void {
    this.#skills.set(skill.name, skill);
  }

  get none(): boolean {
    return this.#skills.size === 0;
  }

  get full(): boolean {
    return this.#skills.size >= MAX_ACTIVE_SKILLS;
  }

  /** As rows name them. */
  get names(): string[] {
    return [...this.#skills.keys()].toSorted();
  }

  /** The digest of one that is active; null: it is not. */
  digestOf(name: string): string | null {
    return this.#skills.get(name)?.digest ?? null;
  }

  /** What any of them was accepted for. */
  get limits(): SkillLimits {
    const [tools, hosts, read, write, credentials, commands] = NAMES.map((name) => [
      ...new Set(Array.from(this.#skills.values(), ({ limits }) => limits[name]).flat()),
    ]);
    return {
      tools: tools ?? [],
      hosts: hosts ?? [],
      read: read ?? [],
      write: write ?? [],
      credentials: credentials ?? [],
      commands: commands ?? [],
    };
  }

  /** Where files of one were put for this turn's commands, and what that is called in the workspace. */
  placed(path: string, name: string): void {
    this.#folders.set(path, name);
  }

  /** Those, for whoever takes them away with the turn. */
  get folders(): readonly (readonly [path: string, name: string])[] {
    return [...this.#folders];
  }
}
