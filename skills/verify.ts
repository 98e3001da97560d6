import { hash } from "node:crypto";
import {
  checkFiles,
  MAX_FILE,
  MAX_FILES,
  MAX_TOTAL,
  type Manifest,
  type ManifestFile,
  parseManifest,
  SIGNATURE_FILE,
  SKILL_MD,
} from "./manifest.ts";
import { readSigned, readVkey } from "./signed.ts";
import { shown, SkillError } from "./skill-error.ts";
import { signerOf, type Trust } from "./trust.ts";

/** A file of a skill, as it was read: once. */
export interface SkillFile {
  readonly bytes: Uint8Array;
  readonly executable: boolean;
}

/** All files of a skill by path, the signature among them. */
export type SkillFiles = ReadonlyMap<string, SkillFile>;

/** A skill whose every byte was checked. What is used of it is what stands here, and is read nowhere else. */
export interface VerifiedSkill {
  readonly manifest: Manifest;
  /** SHA-256 of the manifest's one form: the skill's own name for these very bytes. */
  readonly digest: string;
  /** Without the signature. */
  readonly files: SkillFiles;
  readonly signer: Signer;
}

/** Whose signature it is used for. */
export interface Signer {
  /** As a sentence shows it: visible ASCII, at most 100 characters. */
  readonly name: string;
  /** Is what it signs the operator's own word? */
  readonly own: boolean;
  /** Null: a certificate, not a key. */
  readonly vkey: string | null;
}

/** Checks a skill: signed by a key that is trusted for its name, and its files are exactly those that were signed.
 *  @param now milliseconds since 1970. @throws {SkillError} naming the first thing that is wrong. */
export function verifySkill(files: SkillFiles, trusted: readonly Trust[], now: number): VerifiedSkill {
  const note = files.get(SIGNATURE_FILE);
  if (note === undefined)
    throw new SkillError(
      "unsigned",
      `it is not signed: it has no ${SIGNATURE_FILE}`,
      "if you vouch for it, sign it yourself: wirken skills sign DIR",
    );
  const signed = readSigned(textOf(note.bytes, SIGNATURE_FILE));
  const manifest = parseManifest(signed.body);
  const { vkey, own } = signerOf(signed, trusted, manifest.name, now);
  checkListed(files, manifest.files, [SIGNATURE_FILE]);
  const signer = { name: readVkey(vkey).name, own, vkey };
  return { manifest, digest: digestOf(signed.body), files: without(files, SIGNATURE_FILE), signer };
}

/** Are these files the listed ones, and no others? @param besides what may be there unlisted. @throws {SkillError}. */
export function checkListed(files: SkillFiles, listed: readonly ManifestFile[], besides: readonly string[]): void {
  const known = new Map(listed.map((one) => [one.path, one]));
  for (const path of files.keys())
    if (!known.has(path) && !besides.includes(path))
      throw new SkillError(
        "extra",
        `the file ${shown(path)} is not one that was signed`,
        "remove it, or have the skill signed again",
      );
  for (const { path, mode, size, sha256 } of listed) {
    const file = files.get(path);
    if (file === undefined)
      throw new SkillError("missing", `the file ${shown(path)} is missing`, "install the skill again");
    if (file.bytes.length !== size || digestOf(file.bytes) !== sha256)
      throw new SkillError(
        "altered",
        `the file ${shown(path)} was changed after it was signed`,
        "install the skill again",
      );
    if ((mode === "0755") !== file.executable)
      throw new SkillError(
        "altered",
        `the file ${shown(path)} ${file.executable ? "may be run, and was signed as one that may not" : "may not be run, and was signed as one that may"}`,
        "install the skill again",
      );
  }
}

/** The list of a skill's files as they are. @param signature the file that is on no list. @throws {SkillError} if they cannot be those of a skill. */
export function listFiles(files: SkillFiles, signature: string = SIGNATURE_FILE): ManifestFile[] {
  const listed = [...files]
    .filter(([path]) => path !== signature)
    .map(
      ([path, { bytes, executable }]): ManifestFile => ({
        mode: executable ? "0755" : "0644",
        path,
        sha256: digestOf(bytes),
        size: bytes.length,
      }),
    )
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  checkFiles(listed);
  return listed;
}

/** SKILL.md as text. @throws {SkillError} `malformed` if it is none. */
export function skillMd(files: SkillFiles): string {
  const file = files.get(SKILL_MD);
  if (file === undefined)
    throw new SkillError("missing", `it has no ${SKILL_MD}`, "a skill is a folder with a SKILL.md at its top");
  return textOf(file.bytes, SKILL_MD);
}

/** What comes after the front matter: the instructions. */
export function bodyOf(text: string): string {
  const found = /^---[ \t]*\r?\n[\s\S]*?\n---[ \t]*(?:\r?\n|$)/.exec(text);
  return (found === null ? text : text.slice(found[0].length)).trim();
}

export function textOf(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SkillError("malformed", `its ${path} is not text in UTF-8`, "save it as UTF-8", { cause });
  }
}

export function digestOf(bytes: Uint8Array | string): string {
  return hash("sha256", bytes, "hex");
}

export function without(files: SkillFiles, path: string): SkillFiles {
  return new Map([...files].filter(([one]) => one !== path));
}

/** Whether so much may be taken in, while it is. @throws {SkillError} `too-large`. */
export function checkAmount(count: number, size: number, total: number): void {
  if (count <= MAX_FILES + 1 && size <= MAX_FILE && total <= MAX_TOTAL) return;
  throw new SkillError(
    "too-large",
    `it is too large: more than ${MAX_FILES} files, ${MAX_FILE} bytes in one, or ${MAX_TOTAL} in all`,
    "a skill is instructions and a few files: leave out what it does not need",
  );
}
