import { readFileSync, statSync } from "node:fs";
import { basename } from "node:path";
import { readSkillFolder } from "../../skills/folder.ts";
import { FOREIGN_SIGNATURE, type JudgedSignature, judged, ofSkill } from "../../skills/foreign.ts";
import { SIGNATURE_FILE } from "../../skills/manifest.ts";
import { MAX_PACKED } from "../../skills/packed.ts";
import { beyond, permissionSentences } from "../../skills/permissions.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { bodyOf, skillMd, type SkillFiles, textOf } from "../../skills/verify.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { SkillSource } from "../ipc/skill-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { IndexedSkill } from "../../skills/skill-index.ts";
import { checkIndexed, type SkillIndexes } from "./skill-indexes.ts";
import type { By } from "./people.ts";
import { lacking } from "./skill-needs.ts";
import type { SkillKeys } from "./skill-keys.ts";
import type { SkillRoots } from "./skill-roots.ts";
import { BUNDLED, type Installing, type Skills, type Standing } from "./skills.ts";
import type { Unpacks } from "./unpacks.ts";

type SkillCall = Extract<OperatorCall, { call: `skill.${string}` }>;
type View = AnswerTo<"skill.list">["skills"][number];

/** Skills that were looked at and may be installed next. */
const MAX_LOOKED = 4;

interface Got {
  readonly files: SkillFiles;
  readonly from: string;
  /** What the list fixes, where it came from there. */
  readonly indexed: IndexedSkill | null;
}

/** Before the name of a skill, as its source: it came from the list. */
export const INDEXED = "index:";

export interface SkillDeskParts {
  readonly skills: Skills;
  readonly keys: SkillKeys;
  readonly roots: SkillRoots;
  readonly unpacks: Pick<Unpacks, "archive" | "frontMatter" | "modelSignature">;
  readonly bundled: (name: string) => SkillFiles | null;
  /** Gets a file of the web. @throws {OperatorError} in words why not. */
  readonly download: (url: string) => Promise<Uint8Array>;
  readonly indexes: Pick<SkillIndexes, "read" | "find">;
  readonly toolchains: () => readonly string[];
  /** Tells running agents. */
  readonly changed: () => Promise<void>;
}

/** What the owner asks about skills. */
export class SkillDesk {
  readonly #parts: SkillDeskParts;
  readonly #looked = new Map<string, Installing>();

  constructor(parts: SkillDeskParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError}. */
  async answer(call: SkillCall, payload: Uint8Array, who: By): Promise<AnswerTo<SkillCall["call"]>> {
    const { skills, keys, roots } = this.#parts;
    try {
      switch (call.call) {
        case "skill.list":
          return {
            skills: (await skills.list()).map((one) => this.#view(one)),
            keys: [...keys.list(), ...roots.list()],
          };
        case "skill.show":
          return await this.#show(call.name);
        case "skill.verify":
          return await this.#verify(call.name);
        case "skill.look":
          return await this.#look(call.source);
        case "skill.install":
          return await this.#install(call.digest, who);
        case "skill.remove":
          return await this.#remove(call.name, who);
        case "skill.trust": {
          const made = await keys.trust(call, who);
          await this.#parts.changed();
          return made;
        }
        case "skill.trust-root": {
          const made = await roots.trust(call, payload, who);
          await this.#parts.changed();
          return made;
        }
        case "skill.untrust": {
          const gone = (await keys.untrust(call.key, who)) ?? (await roots.untrust(call.key, who));
          if (gone === null)
            throw new OperatorError(
              "not-found",
              "no key and no root of that name is trusted",
              "wirken skills list names those that are",
            );
          await this.#parts.changed();
          return gone;
        }
        case "skill.index": {
          const index = await this.#parts.indexes.read();
          return {
            skills: (index?.skills ?? []).map(({ name, version, description }) => ({ name, version, description })),
          };
        }
        case "skill.read":
          return await this.#parts.unpacks.frontMatter(textOf(payload, "SKILL.md"));
      }
    } catch (error) {
      if (error instanceof SkillError)
        throw new OperatorError(
          error.code === "unreadable" ? "usage" : "refused",
          `the skill is refused: ${error.message}`,
          error.hint,
          { cause: error },
        );
      throw error;
    }
  }

  #view(standing: Standing): View {
    if (standing.state === "refused") {
      const { name, from, error } = standing;
      return {
        name,
        from,
        state: "refused",
        version: null,
        description: null,
        digest: null,
        signer: null,
        wants: [],
        lacks: [],
        note: `${error.message}; ${error.hint}`,
      };
    }
    const { skill, state, from } = standing;
    const { name, version, description, permissions, requires } = skill.manifest;
    return {
      name,
      version,
      description,
      from,
      state,
      digest: skill.digest,
      signer: skill.signer.name,
      wants: permissionSentences(permissions),
      lacks: lacking(requires, this.#parts.toolchains()),
      note: state === "off" ? `what it wants was not accepted yet: wirken skills install ${name}` : null,
    };
  }

  async #found(name: string): Promise<Standing> {
    const standing = await this.#parts.skills.look(name);
    if (standing === null)
      throw new OperatorError("not-found", `there is no skill ${name}`, "wirken skills list shows those there are");
    return standing;
  }

  async #show(name: string): Promise<AnswerTo<"skill.show">> {
    const standing = await this.#found(name);
    const files =
      standing.state === "refused"
        ? []
        : standing.skill.manifest.files.map(({ path, size, mode, sha256 }) => ({ path, size, mode, sha256 }));
    return {
      ...this.#view(standing),
      files,
      instructions: standing.state === "refused" ? null : bodyOf(skillMd(standing.skill.files)),
      source: this.#parts.skills.acceptedOf(name)?.source ?? null,
    };
  }

  async #verify(name: string | null): Promise<AnswerTo<"skill.verify">> {
    const found = name === null ? await this.#parts.skills.list() : [await this.#found(name)];
    const read: Standing[] = [];
    for (const one of found) read.push(one.state === "refused" ? one : await this.#readAnew(one));
    return { skills: read.map((one) => this.#view(one)) };
  }

  /** A foreign signature is read when it is accepted, and held to that at each use; on demand it is read again. */
  async #readAnew(standing: Exclude<Standing, { state: "refused" }>): Promise<Standing> {
    const { name } = standing.skill.manifest;
    try {
      const files = this.#parts.skills.foreign(name);
      if (files !== null) this.#parts.skills.check(files, (await this.#judged(files)).judged);
      return standing;
    } catch (error) {
      if (!(error instanceof SkillError)) throw error;
      await this.#parts.skills.refused(name, error);
      return { state: "refused", from: standing.from, name, error };
    }
  }

  /** Has a foreign signature read, and holds the bytes against what it lists. @throws {SkillError}. */
  async #judged(given: SkillFiles): Promise<{ readonly files: SkillFiles; readonly judged: JudgedSignature }> {
    const { unpacks, roots } = this.#parts;
    const signature = given.get(FOREIGN_SIGNATURE)?.bytes ?? new Uint8Array();
    const verdict = await unpacks.modelSignature(signature, roots.certificates);
    const files = ofSkill(given, verdict);
    const { name, version, description, permissions, requires } = await unpacks.frontMatter(skillMd(files));
    const manifest = { name, version: version ?? "0.0.0", description, permissions, requires };
    return { files, judged: judged(files, verdict, manifest) };
  }

  /** Nothing of it is in use then: it lies in memory, checked, until it is accepted or others were looked at. */
  async #look(source: SkillSource): Promise<AnswerTo<"skill.look">> {
    const { skills, toolchains } = this.#parts;
    let name = "name" in source ? source.name : basename("path" in source ? source.path : source.url);
    try {
      const { files: given, from, indexed } = await this.#files(source);
      const { files, judged: signature } = isForeign(given)
        ? await this.#judged(given)
        : { files: given, judged: null };
      const skill = skills.check(files, signature);
      ({ name } = skill.manifest);
      const { version, description, permissions, requires } = skill.manifest;
      const inUse = await skills.inUse(name);
      if (indexed !== null) checkIndexed(skill, indexed, inUse?.version ?? null);
      this.#looked.set(skill.digest, { skill, files, source: from, judged: signature });
      for (const digest of [...this.#looked.keys()].slice(0, -MAX_LOOKED)) this.#looked.delete(digest);
      return {
        name,
        version,
        description,
        digest: skill.digest,
        own: skill.signer.own,
        signer: skill.signer.name,
        files: skill.manifest.files.length,
        wants: permissionSentences(permissions),
        installed: inUse?.version ?? null,
        more: inUse === null ? [] : permissionSentences(beyond(permissions, inUse.permissions)),
        lacks: lacking(requires, toolchains()),
      };
    } catch (error) {
      if (error instanceof SkillError) await skills.refused(name, error);
      throw error;
    }
  }

  async #files(source: SkillSource): Promise<Got> {
    const { unpacks, bundled } = this.#parts;
    switch (source.from) {
      case "folder":
        return { files: readSkillFolder(source.path), from: source.path, indexed: null };
      case "archive":
        return { files: await unpacks.archive(source.kind, archiveAt(source.path)), from: source.path, indexed: null };
      case "url":
        return { files: await this.#fetched(source.url), from: source.url, indexed: null };
      case "name": {
        const files = bundled(source.name);
        if (files !== null) return { files, from: BUNDLED, indexed: null };
        const indexed = await this.#parts.indexes.find(source.name);
        return { files: await this.#fetched(indexed.url), from: `${INDEXED}${source.name}`, indexed };
      }
    }
  }

  async #fetched(url: string): Promise<SkillFiles> {
    const kind = /\.(zip|tar\.gz|tgz)$/.exec(new URL(url).pathname)?.[1];
    if (kind === undefined)
      throw new OperatorError(
        "usage",
        "the address does not end with .zip, .tar.gz or .tgz",
        "give the address of the archive itself",
      );
    return await this.#parts.unpacks.archive(kind === "zip" ? "zip" : "tar.gz", await this.#parts.download(url));
  }

  async #install(digest: string, who: By): Promise<View> {
    const looked = this.#looked.get(digest);
    if (looked === undefined)
      throw new OperatorError(
        "not-found",
        "this is not a skill that was just looked at",
        "run wirken skills install again",
      );
    // Whoever signed it may have lost that trust meanwhile.
    const skill = this.#parts.skills.check(looked.files, looked.judged);
    await this.#parts.skills.install({ ...looked, skill }, who);
    this.#looked.delete(digest);
    return this.#view(await this.#found(skill.manifest.name));
  }

  async #remove(name: string, who: By): Promise<{ name: string }> {
    if (await this.#parts.skills.remove(name, who)) return { name };
    await this.#found(name);
    throw new OperatorError(
      "usage",
      `${name} came with this build and was not installed`,
      `to keep it from an agent, list the others in config.json as agents.NAME.skills`,
    );
  }
}

/** Our own signature counts where there are both. */
function isForeign(files: SkillFiles): boolean {
  return !files.has(SIGNATURE_FILE) && files.has(FOREIGN_SIGNATURE);
}

/** @throws {SkillError}. */
function archiveAt(path: string): Uint8Array {
  try {
    const { size } = statSync(path);
    if (size > MAX_PACKED)
      throw new SkillError(
        "too-large",
        `the archive has more than ${MAX_PACKED} bytes`,
        "a skill is instructions and a few files",
      );
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof SkillError) throw cause;
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new SkillError(
      "unreadable",
      `${path} cannot be read (${code})`,
      "look at whether it is there, and whose it is",
      { cause },
    );
  }
}
