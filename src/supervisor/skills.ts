import * as z from "zod/mini";
import type { AuditLog } from "../../audit/log.ts";
import type { Shipped } from "../../skills/bundled.ts";
import { type JudgedSignature, verifyForeign } from "../../skills/foreign.ts";
import type { Permissions } from "../../skills/permissions.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { type SkillFiles, type VerifiedSkill, verifySkill } from "../../skills/verify.ts";
import { SkillId, mint } from "../ipc/ids.ts";
import type { By } from "./people.ts";
import type { SkillKeys } from "./skill-keys.ts";
import type { SkillRoots } from "./skill-roots.ts";
import type { SkillStore } from "./skill-store.ts";
import type { Placed } from "./standing.ts";

/** The same refusal is recorded once in this time. */
const REFUSED_AGAIN_MS = 60_000;
/** Refusals that are remembered for that. */
const MAX_REFUSED = 200;

/** What was accepted: these very files. */
interface Accepted {
  readonly skill: SkillId;
  readonly seq: number;
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly source: string | null;
  /** What its signature was found to say when it was accepted, if that is one of a certificate. */
  readonly judged: JudgedSignature | null;
}

/** A row's content holds it, as these very bytes were judged. */
const Judged = z.strictObject({
  signature: z.string(),
  manifest: z.string(),
  roots: z.array(z.string()),
  identities: z.array(z.string()),
  from: z.int(),
  until: z.int(),
});

/** A checked skill that is to be put in use. */
export interface Installing {
  readonly skill: VerifiedSkill;
  readonly files: SkillFiles;
  /** Where it came from; {@link BUNDLED} for what is shipped. */
  readonly source: string;
  /** What its foreign signature was found to say; null: it has one of ours. */
  readonly judged: JudgedSignature | null;
}

/** A skill as it stands: to be used, shipped and not accepted, or refused. */
export type Standing =
  | { readonly state: "active"; readonly from: "bundled" | "installed"; readonly skill: VerifiedSkill }
  | { readonly state: "off"; readonly from: "bundled"; readonly skill: VerifiedSkill }
  | {
      readonly state: "refused";
      readonly from: "bundled" | "installed";
      readonly name: string;
      readonly error: SkillError;
    };

export interface SkillsParts {
  readonly log: Pick<AuditLog, "row" | "append">;
  readonly placed: (what: Placed) => readonly number[];
  readonly keys: Pick<SkillKeys, "trusted">;
  readonly roots: Pick<SkillRoots, "trusted">;
  readonly store: SkillStore;
  readonly shipped: Shipped;
  readonly bundled: { readonly names: readonly string[]; readonly files: (name: string) => SkillFiles | null };
  readonly now: () => number;
  /** Which skills are in use, or what they are, is another now. */
  readonly changed: () => Promise<void>;
}

/** The skills there are. One that was installed is read and checked anew whenever it is used: signature, trust, and the digest of every file. */
export class Skills {
  readonly #parts: SkillsParts;
  #accepted: Map<string, Accepted> | null = null;
  readonly #refused = new Map<string, number>();
  /** What is shipped lies within this very executable, and the key that it is trusted by is for ever: that is checked once. */
  readonly #shipped = new Map<string, VerifiedSkill>();

  constructor(parts: SkillsParts) {
    this.#parts = parts;
  }

  #all(): Map<string, Accepted> {
    if (this.#accepted !== null) return this.#accepted;
    const accepted = new Map<string, Accepted>();
    for (const row of this.#parts.placed("skill")) {
      const found = this.#parts.log.row(row);
      if (found?.action.kind !== "skill.installed") continue;
      const { skill, name, version, digest } = found.action;
      accepted.set(name, {
        skill: SkillId.parse(skill),
        seq: found.seq,
        name,
        version,
        digest,
        source: found.content("source"),
        judged: judgedOf(found.content("signature")),
      });
    }
    this.#accepted = accepted;
    return accepted;
  }

  /** The names of all of them, in order. */
  get names(): string[] {
    return [...new Set([...this.#parts.bundled.names, ...this.#all().keys()])].toSorted();
  }

  /** Reads and checks one. Null: there is none of that name. A refusal is on the record. */
  async look(name: string): Promise<Standing | null> {
    const standing = this.#look(name);
    if (standing?.state === "refused") await this.refused(name, standing.error);
    return standing;
  }

  /** The same, with the record of a refusal on its way. */
  peek(name: string): Standing | null {
    const standing = this.#look(name);
    if (standing?.state === "refused") void this.refused(name, standing.error).catch(() => undefined);
    return standing;
  }

  #look(name: string): Standing | null {
    const accepted = this.#all().get(name);
    const { store } = this.#parts;
    const from = accepted !== undefined && accepted.source !== BUNDLED ? "installed" : "bundled";
    try {
      if (accepted !== undefined && from === "installed") {
        const skill = this.check(store.read(name, accepted.digest), accepted.judged);
        if (skill.digest !== accepted.digest || skill.manifest.name !== name)
          throw new SkillError(
            "not-accepted",
            "it is another skill than the one that was accepted",
            `wirken skills install it again, or wirken skills remove ${name}`,
          );
        return { state: "active", from, skill };
      }
      const skill = this.#shipped.get(name) ?? this.#verifyShipped(name);
      if (skill === null) return null;
      if (skill.manifest.name !== name)
        throw new SkillError(
          "wrong-name",
          `it says that its name is ${skill.manifest.name}`,
          "this build is broken: build it again",
        );
      this.#shipped.set(name, skill);
      // What reaches nobody and carries nothing of anybody's comes with the program; the rest is asked for.
      const { hosts, credentials } = skill.manifest.permissions;
      const asks = hosts.length > 0 || credentials.length > 0;
      if (asks && accepted?.digest !== skill.digest) return { state: "off", from: "bundled", skill };
      return { state: "active", from, skill };
    } catch (error) {
      if (error instanceof SkillError) return { state: "refused", from, name, error };
      throw error;
    }
  }

  /** Checks files as they are now. @param judged what their foreign signature was found to say; null: they have one of ours. @throws {SkillError}. */
  check(files: SkillFiles, judged: JudgedSignature | null): VerifiedSkill {
    const { keys, roots, now } = this.#parts;
    return judged === null
      ? verifySkill(files, keys.trusted, now())
      : verifyForeign(files, judged, roots.trusted, now());
  }

  /** The files of an installed skill with a foreign signature, for whoever reads that again. Null: it has none. @throws {SkillError}. */
  foreign(name: string): SkillFiles | null {
    const accepted = this.#all().get(name);
    return accepted === undefined || accepted.judged === null ? null : this.#parts.store.read(name, accepted.digest);
  }

  #verifyShipped(name: string): VerifiedSkill | null {
    const { bundled, shipped, now } = this.#parts;
    const files = bundled.files(name);
    return files === null ? null : verifySkill(files, shipped.trust, now());
  }

  /** All of them, each read and checked. */
  async list(): Promise<Standing[]> {
    const found: Standing[] = [];
    for (const name of this.names) {
      const standing = await this.look(name);
      if (standing !== null) found.push(standing);
    }
    return found;
  }

  /** What an agent may use, by its list. @param only left out: all of them. */
  async active(only: readonly string[] | undefined): Promise<VerifiedSkill[]> {
    const found: VerifiedSkill[] = [];
    for (const name of this.names) {
      if (only !== undefined && !only.includes(name)) continue;
      const standing = await this.look(name);
      if (standing?.state === "active") found.push(standing.skill);
    }
    return found;
  }

  acceptedOf(name: string): { readonly version: string; readonly source: string | null } | null {
    return this.#all().get(name) ?? null;
  }

  /** What the one in use may do; null: none is. */
  async inUse(name: string): Promise<{ readonly version: string; readonly permissions: Permissions } | null> {
    const standing = await this.look(name);
    if (standing?.state !== "active") return null;
    const { version, permissions } = standing.skill.manifest;
    return { version, permissions };
  }

  /** Puts a checked skill in use: its files are written, then it is recorded, then it counts. */
  async install({ skill, files, source, judged }: Installing, who: By): Promise<void> {
    const { log, store, changed } = this.#parts;
    const { name, version } = skill.manifest;
    const before = this.#all().get(name) ?? null;
    if (source !== BUNDLED) store.write(name, skill.digest, files);
    const id = mint("skill");
    const row = await log.append(
      {
        kind: "skill.installed",
        skill: id,
        name,
        version,
        digest: skill.digest,
        replaces: before?.skill ?? null,
        ...who,
      },
      {
        cause: before?.seq ?? null,
        content: { source, ...(judged === null ? {} : { signature: JSON.stringify(judged) }) },
      },
    );
    this.#all().set(name, { skill: id, seq: row.seq, name, version, digest: skill.digest, source, judged });
    this.#sweep();
    await changed();
  }

  /** @returns false: nothing of that name was installed. */
  async remove(name: string, who: By): Promise<boolean> {
    const found = this.#all().get(name);
    if (found === undefined) return false;
    this.#all().delete(name);
    await this.#parts.log.append({ kind: "skill.removed", skill: found.skill, ...who }, { cause: found.seq });
    this.#sweep();
    await this.#parts.changed();
    return true;
  }

  #sweep(): void {
    const { store } = this.#parts;
    store.sweep(new Set(Array.from(this.#all().values(), ({ name, digest }) => store.folder(name, digest))));
  }

  /** A skill was not used, or not installed: that is on the record, once a minute for the same. */
  async refused(name: string, { code, message }: SkillError): Promise<void> {
    const key = `${name}\n${code}\n${message}`;
    const now = this.#parts.now();
    if (now - (this.#refused.get(key) ?? Number.NEGATIVE_INFINITY) < REFUSED_AGAIN_MS) return;
    if (this.#refused.size >= MAX_REFUSED) this.#refused.clear();
    this.#refused.set(key, now);
    await this.#parts.log.append(
      { kind: "skill.refused", reason: code },
      { cause: null, content: { name, why: message } },
    );
  }
}

function judgedOf(kept: string | null): JudgedSignature | null {
  return kept === null ? null : Judged.parse(JSON.parse(kept));
}

/** The source of a skill that came with this build. */
export const BUNDLED = "bundled";
