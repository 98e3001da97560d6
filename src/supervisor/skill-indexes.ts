import type { AuditLog } from "../../audit/log.ts";
import { type IndexedSkill, readIndex, type SkillIndex } from "../../skills/skill-index.ts";
import { compareVersions } from "../../skills/manifest.ts";
import { readVkey } from "../../skills/signed.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { digestOf, textOf, type VerifiedSkill } from "../../skills/verify.ts";
import type { Config } from "../config/schema.ts";
import { OperatorError } from "./operator-error.ts";
import type { Placed } from "./standing.ts";

export interface SkillIndexesParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  readonly placed: (what: Placed) => readonly number[];
  readonly config: () => Config;
  readonly download: (url: string) => Promise<Uint8Array>;
  readonly now: () => number;
}

/** The list of skills that the operator wrote down. It is read anew each time, and never taken back to an older one. */
export class SkillIndexes {
  readonly #parts: SkillIndexesParts;

  constructor(parts: SkillIndexesParts) {
    this.#parts = parts;
  }

  /** Null: none is written down. @throws {SkillError}, {OperatorError}. */
  async read(): Promise<SkillIndex | null> {
    const { config, download, log, now } = this.#parts;
    const { index } = config().skills;
    if (index === undefined) return null;
    const key = readVkey(index.key);
    const seen = this.#seen(key.vkey);
    const found = readIndex(textOf(await download(index.url), "list of skills"), key, seen, now());
    if (found.number > seen)
      await log.append(
        { kind: "skill.index.read", fingerprint: digestOf(key.vkey), number: found.number },
        { cause: null, content: { vkey: key.vkey } },
      );
    return found;
  }

  /** @throws {SkillError}, {OperatorError} where it is on no list. */
  async find(name: string): Promise<IndexedSkill> {
    const index = await this.read();
    const found = index?.skills.find((one) => one.name === name);
    if (found !== undefined) return found;
    throw new OperatorError(
      "not-found",
      `there is no skill ${name} here${index === null ? "" : ", nor on the list in config.json"}`,
      "give a folder, an archive or an https address; wirken skills search finds those that are here",
    );
  }

  /** The highest number that was seen under a key. */
  #seen(vkey: string): number {
    for (const row of this.#parts.placed("skill-index")) {
      const action = this.#parts.log.row(row)?.action;
      if (action?.kind !== "skill.index.read") continue;
      if (action.vkey === vkey || action.fingerprint === digestOf(vkey)) return action.number;
    }
    return 0;
  }
}

/** Is it the skill that the list fixes, and no older one than is in use? @throws {SkillError}. */
export function checkIndexed(
  { manifest, digest, signer }: VerifiedSkill,
  indexed: IndexedSkill,
  inUse: string | null,
): void {
  const { name, version } = manifest;
  if (name !== indexed.name || version !== indexed.version || digest !== indexed.digest || signer.vkey !== indexed.key)
    throw new SkillError(
      "altered",
      `it is not the skill that the list names: ${name} ${version} (${digest.slice(0, 16)}) instead of ${indexed.name} ${indexed.version} (${indexed.digest.slice(0, 16)})`,
      "ask whoever keeps the list",
    );
  if (inUse !== null && compareVersions(version, inUse) < 0)
    throw new SkillError(
      "rollback",
      `it is ${version}, and ${inUse} is in use`,
      "install the older one from its folder or archive, if that is meant",
    );
}
