import type { KeyObject } from "node:crypto";
import { isSkillName, isVersion, wrongDescription } from "./manifest.ts";
import { isSignedBy, readNote, readVkey, type SkillKey, signNote } from "./signed.ts";
import { SkillError } from "./skill-error.ts";

/** A list of skills as a C2SP signed note: what stands at an address fixes for each its name, version, files and key. */

const HEAD = "wirken/skill-index/v1\n";
/** Skills of one list. */
const MAX_INDEXED = 5_000;
/** Of the list, in bytes. */
const MAX_INDEX = 4 * 1024 * 1024;

export interface IndexedSkill {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  /** SHA-256 of its manifest. */
  readonly digest: string;
  /** Who signs it. */
  readonly key: string;
  /** Of its archive: https. */
  readonly url: string;
}

export interface SkillIndex {
  /** Counts up with each list: an older one is a rollback. */
  readonly number: number;
  /** Milliseconds since 1970: whoever shows it later shows an old one. */
  readonly until: number;
  readonly skills: readonly IndexedSkill[];
}

/** @returns what stands at the list's address. */
export function signIndex({ number, until, skills }: SkillIndex, name: string, secret: KeyObject): string {
  const body = JSON.stringify({
    number,
    skills: skills.map(({ description, digest, key, name: skill, url, version }) => ({
      description,
      digest,
      key,
      name: skill,
      url,
      version,
    })),
    until: new Date(until).toISOString(),
  });
  return signNote(`${HEAD}${body}\n`, name, secret);
}

/** Reads a list. @param seen the highest number of one that was read before. @param now milliseconds since 1970.
 *  @throws {SkillError} `forged`, `expired` (a frozen list), `rollback` or `malformed`. */
export function readIndex(note: string, key: SkillKey, seen: number, now: number): SkillIndex {
  const signed = readNote(note, HEAD, MAX_INDEX);
  if (!isSignedBy(signed, key))
    throw new SkillError(
      "forged",
      `the list of skills is not signed by ${key.name}`,
      "look at skills.index in config.json",
    );
  let value: unknown;
  try {
    value = JSON.parse(signed.body);
  } catch (cause) {
    throw malformed({ cause });
  }
  const { number, skills, until } = entriesOf(value);
  const end = typeof until === "string" ? Date.parse(until) : Number.NaN;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0 || Number.isNaN(end)) throw malformed();
  if (number < seen)
    throw new SkillError(
      "rollback",
      `the list of skills is number ${number}, and number ${seen} was seen already`,
      "somebody shows an old one: ask whoever keeps it",
    );
  if (now >= end)
    throw new SkillError(
      "expired",
      `the list of skills was good until ${new Date(end).toISOString().slice(0, 10)}`,
      "it is old, or somebody keeps the new one back: ask whoever keeps it",
    );
  if (!Array.isArray(skills) || skills.length > MAX_INDEXED) throw malformed();
  const found = skills.map((one: unknown) => indexed(one));
  if (new Set(found.map(({ name }) => name)).size !== found.length) throw malformed();
  return { number, until: end, skills: found };
}

function indexed(value: unknown): IndexedSkill {
  const { name, version, description, digest, key, url } = entriesOf(value);
  if (typeof name !== "string" || !isSkillName(name) || typeof version !== "string" || !isVersion(version))
    throw malformed();
  if (typeof description !== "string" || wrongDescription(description) !== null) throw malformed();
  if (typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest) || typeof key !== "string") throw malformed();
  if (typeof url !== "string" || url.length > 2048 || !URL.canParse(url) || !url.startsWith("https://"))
    throw malformed();
  return { name, version, description, digest, key: readVkey(key).vkey, url };
}

function entriesOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed();
  return Object.fromEntries(Object.entries(value));
}

function malformed(options?: ErrorOptions): SkillError {
  return new SkillError("malformed", "the list of skills is not in the form of one", "ask whoever keeps it", options);
}
