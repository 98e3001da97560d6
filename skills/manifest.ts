import { clashIn, wrongPath } from "./path.ts";
import { PERMISSION_NAMES, type Permissions, permissionsOf, wrongPermissions } from "./permissions.ts";
import { shown, SkillError } from "./skill-error.ts";

/** Files of one skill. The published format keeps a skill small; more than this is a program, not instructions. */
export const MAX_FILES = 500;
/** Bytes of one file, and of all. */
export const MAX_FILE = 5 * 1024 * 1024;
export const MAX_TOTAL = 20 * 1024 * 1024;
/** Bytes of `SKILL.md`: it goes into a context. */
export const MAX_SKILL_MD = 256 * 1024;
/** Bytes of a manifest: five hundred files of two hundred characters, with room. */
export const MAX_MANIFEST = 256 * 1024;
/** Entries of what a skill needs of the machine. */
const MAX_NEEDED = 32;

/** Of the Agent Skills format. @see https://agentskills.io/specification */
export const MAX_NAME = 64;
export const MAX_DESCRIPTION = 1024;
export const SKILL_MD = "SKILL.md";

/** The file that holds the manifest and who signed it: the one file that is not on its own list. */
export const SIGNATURE_FILE = "skill.sig";

export interface ManifestFile {
  readonly path: string;
  /** May it be run? Of a file's mode no more counts. */
  readonly mode: "0644" | "0755";
  readonly size: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** What the machine must have: programs (all, or any of some), environment variables, a system. */
export interface Requires {
  readonly bins: readonly string[];
  readonly anyBins: readonly string[];
  readonly env: readonly string[];
  readonly os: readonly string[];
}

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly permissions: Permissions;
  readonly requires: Requires;
  /** In the order of their bytes. */
  readonly files: readonly ManifestFile[];
}

export const REQUIRES_NAMES = ["anyBins", "bins", "env", "os"] as const;
export const NO_REQUIRES: Requires = { bins: [], anyBins: [], env: [], os: [] };

const NAME = /^(?!.*--)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const VERSION = /^(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})$/;

/** A name of the Agent Skills format: lower-case letters, digits and single hyphens inside, at most 64. */
export function isSkillName(text: string): boolean {
  return text.length <= MAX_NAME && NAME.test(text);
}

export function isVersion(text: string): boolean {
  return VERSION.test(text);
}

/** Negative: `a` is the older one. Both as {@link isVersion} has them. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split(".").map(Number), b.split(".").map(Number)];
  for (let at = 0; at < 3; at++) {
    const by = (left[at] ?? 0) - (right[at] ?? 0);
    if (by !== 0) return by;
  }
  return 0;
}

/** The one form of a manifest: JSON on one line, keys in the order of their letters (RFC 8785 of these values). */
export function writeManifest(manifest: Manifest): string {
  const { description, files, name, permissions, requires, version } = manifest;
  return JSON.stringify({
    description,
    files: files.map(({ mode, path, sha256, size }) => ({ mode, path, sha256, size })),
    format: 1,
    name,
    permissions: permissionsOf(permissions),
    requires: sortedRequires(requires),
    version,
  });
}

function sortedRequires({ anyBins, bins, env, os }: Requires): Requires {
  return { anyBins: [...anyBins], bins: [...bins], env: [...env], os: [...os] };
}

/** Reads a manifest. What {@link writeManifest} would not write again byte for byte is none.
 *  @throws {SkillError} `malformed`, `path` or `too-large`. */
export function parseManifest(text: string): Manifest {
  if (text.length > MAX_MANIFEST) throw tooLarge(`its manifest is longer than ${MAX_MANIFEST} bytes`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed("it is not JSON", { cause });
  }
  const { description, files, format, name, permissions, requires, version } = record(value, "it");
  if (format !== 1) throw malformed("it is of a format that this version does not know");
  if (typeof name !== "string" || !isSkillName(name)) throw malformed("its name is none");
  if (typeof version !== "string" || !isVersion(version)) throw malformed("its version is not three numbers");
  if (typeof description !== "string" || wrongDescription(description) !== null)
    throw malformed("its description is none");
  const manifest: Manifest = {
    name,
    version,
    description,
    permissions: readPermissions(permissions),
    requires: readRequires(requires),
    files: readFiles(files),
  };
  // Duplicate keys, other spellings, keys that are not ours.
  if (writeManifest(manifest) !== text) throw malformed("it is not in its one form");
  return manifest;
}

/** What is wrong with a description, in words that follow "its description"; null: nothing. */
export function wrongDescription(text: string): string | null {
  if (text.trim() === "") return "is empty";
  if (text.length > MAX_DESCRIPTION) return `is longer than ${MAX_DESCRIPTION} characters`;
  if (!text.isWellFormed() || /(?![\t\n])\p{Cc}/u.test(text)) return "holds control characters";
  return null;
}

function readPermissions(value: unknown): Permissions {
  const given = record(value, "its permissions");
  const permissions = permissionsOf(
    Object.fromEntries(PERMISSION_NAMES.map((name) => [name, strings(given[name], `its permissions' ${name}`)])),
  );
  const wrong = wrongPermissions(permissions);
  if (wrong !== null) throw malformed(`in its permissions ${wrong}`);
  return permissions;
}

const NEEDED = /^[\x21-\x7e]{1,64}$/;

function readRequires(value: unknown): Requires {
  const given = record(value, "what it requires");
  const list = (name: (typeof REQUIRES_NAMES)[number]): string[] => {
    const found = strings(given[name], `its ${name}`);
    if (found.length > MAX_NEEDED || !found.every((entry) => NEEDED.test(entry)))
      throw malformed(`its ${name} holds something that is no name`);
    return found;
  };
  return { anyBins: list("anyBins"), bins: list("bins"), env: list("env"), os: list("os") };
}

function readFiles(value: unknown): ManifestFile[] {
  if (!Array.isArray(value)) throw malformed("it lists no files");
  if (value.length > MAX_FILES) throw tooLarge(`it has more than ${MAX_FILES} files`);
  const files = value.map((one: unknown): ManifestFile => {
    const { mode, path, sha256, size } = record(one, "a file of it");
    if (typeof path !== "string") throw malformed("a file of it has no path");
    const wrong = path === SIGNATURE_FILE ? "is that of the signature" : wrongPath(path);
    if (wrong !== null)
      throw new SkillError("path", `the file ${shown(path)} is refused: its path ${wrong}`, PATH_HINT);
    if (mode !== "0644" && mode !== "0755") throw malformed("a file of it has a mode other than 0644 and 0755");
    if (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) throw malformed("a file of it has no digest");
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0 || Object.is(size, -0))
      throw malformed("a file of it has no size");
    if (size > (path === SKILL_MD ? MAX_SKILL_MD : MAX_FILE)) throw tooLarge(`the file ${path} is too long`);
    return { mode, path, sha256, size };
  });
  checkFiles(files);
  return files;
}

/** Whether such files can be a skill, whoever lists them. @throws {SkillError}. */
export function checkFiles(files: readonly Pick<ManifestFile, "path" | "size">[]): void {
  if (files.length > MAX_FILES) throw tooLarge(`it has more than ${MAX_FILES} files`);
  if (files.reduce((all, { size }) => all + size, 0) > MAX_TOTAL)
    throw tooLarge(`its files are more than ${MAX_TOTAL} bytes`);
  const paths = files.map(({ path }) => path);
  if (!paths.includes(SKILL_MD))
    throw new SkillError("missing", `it has no ${SKILL_MD}`, "a skill is a folder with a SKILL.md at its top");
  if (paths.some((path, at) => at > 0 && path <= (paths[at - 1] ?? ""))) throw malformed("its files are not in order");
  const clash = clashIn(paths);
  if (clash !== null)
    throw new SkillError(
      "path",
      `the file ${shown(clash)} is refused: another differs from it by case only, or is its folder`,
      PATH_HINT,
    );
}

const PATH_HINT = "rename the file and have the skill signed again";

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw malformed(`${what} is no object`);
  return Object.fromEntries(Object.entries(value));
}

function strings(value: unknown, what: string): string[] {
  if (!Array.isArray(value)) throw malformed(`${what} is no list`);
  return value.map((one: unknown) => {
    if (typeof one !== "string") throw malformed(`${what} holds something that is no text`);
    return one;
  });
}

function malformed(why: string, options?: ErrorOptions): SkillError {
  return new SkillError("malformed", `its manifest is refused: ${why}`, "have whoever made it sign it again", options);
}

function tooLarge(why: string): SkillError {
  return new SkillError(
    "too-large",
    `it is too large: ${why}`,
    "a skill is instructions and a few files: leave out what it does not need",
  );
}
