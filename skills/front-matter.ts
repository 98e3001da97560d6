import { isSkillName, MAX_NAME, NO_REQUIRES, type Requires, wrongDescription } from "./manifest.ts";
import { NO_PERMISSIONS, PERMISSION_NAMES, type Permissions, permissionsOf } from "./permissions.ts";
import { shown, SkillError } from "./skill-error.ts";

/** What stands above the instructions in SKILL.md, of the Agent Skills format and of those that grew out of it.
 *  @see https://agentskills.io/specification */
export interface FrontMatter {
  readonly name: string;
  readonly description: string;
  readonly license: string | null;
  readonly compatibility: string | null;
  /** Of its own; `0.0.0` where it says none. */
  readonly version: string | null;
  /** What it says it needs of Wirken, or what its `allowed-tools` come to. */
  readonly permissions: Permissions;
  readonly requires: Requires;
  /** What somebody should know of it, a sentence each. */
  readonly notes: readonly string[];
}

/** Bytes of front matter. */
export const MAX_FRONT_MATTER = 16 * 1024;
/** Of the published format, in characters. */
const MAX_COMPATIBILITY = 500;
const MAX_LICENSE = 500;
/** Of the format, and what others put beside it: the first are read, the second are passed over without a word. */
const KNOWN = new Set(["name", "description", "license", "compatibility", "metadata", "allowed-tools"]);
const IGNORED = new Set(["version", "author", "homepage", "tags", "user-invocable", "disable-model-invocation"]);

/** Takes SKILL.md apart. @returns the YAML between the first two lines `---`. @throws {SkillError}. */
export function splitFrontMatter(text: string): string {
  const found = /^---[ \t]*\r?\n([\s\S]*?)\n---[ \t]*(?:\r?\n|$)/.exec(text);
  if (found?.[1] === undefined) throw malformed("it has no front matter: the first line and one after it are ---");
  if (Buffer.byteLength(found[1]) > MAX_FRONT_MATTER)
    throw malformed(`its front matter is longer than ${MAX_FRONT_MATTER} bytes`);
  return found[1];
}

/** Reads what a parser of YAML made of it. @param value plain objects, arrays and scalars. @throws {SkillError}. */
export function readFrontMatter(value: unknown): FrontMatter {
  const given = record(value, "its front matter");
  const { name, description, license, compatibility, metadata } = given;
  if (typeof name !== "string" || !isSkillName(name))
    throw malformed(
      `its name ${typeof name === "string" ? shown(name) : ""} is not 1 to ${MAX_NAME} lower-case letters, digits and single hyphens inside`,
    );
  if (typeof description !== "string") throw malformed("it has no description");
  const wrong = wrongDescription(description);
  if (wrong !== null) throw malformed(`its description ${wrong}`);
  const more = metadata === undefined || metadata === null ? {} : record(unquoted(metadata), "its metadata");
  const notes: string[] = [];
  const others = Object.keys(given).filter((key) => !KNOWN.has(key) && !IGNORED.has(key));
  if (others.length > 0)
    notes.push(`these of its fields mean nothing here: ${others.slice(0, 10).map(shown).join(", ")}`);
  const own = "wirken" in more ? wanted(more["wirken"]) : null;
  const allowed = allowedTools(given["allowed-tools"], notes);
  return {
    name,
    description: description.trim(),
    license: shortText(license, MAX_LICENSE, "license"),
    compatibility: shortText(compatibility, MAX_COMPATIBILITY, "compatibility"),
    version: versionOf(more["version"] ?? given["version"]),
    permissions: own ?? allowed,
    requires: required(more, notes),
    notes,
  };
}

/** `metadata.wirken`: lists under the names of permissions. */
function wanted(value: unknown): Permissions {
  const given = record(value, "metadata.wirken");
  const unknown = Object.keys(given).find((key) => !PERMISSION_NAMES.some((name) => name === key));
  if (unknown !== undefined)
    throw malformed(`metadata.wirken knows ${PERMISSION_NAMES.join(", ")}, and not ${shown(unknown)}`);
  return permissionsOf(
    Object.fromEntries(PERMISSION_NAMES.map((name) => [name, words(given[name], `metadata.wirken.${name}`)])),
  );
}

/** What other programs call their tools, and ours that does that. */
const TOOLS: Readonly<
  Record<string, { readonly tools: readonly string[]; readonly read?: true; readonly write?: true }>
> = {
  bash: { tools: ["exec"], read: true },
  read: { tools: ["read_file"], read: true },
  glob: { tools: ["list_files"], read: true },
  grep: { tools: ["search_files"], read: true },
  write: { tools: ["write_file"], read: true, write: true },
  edit: { tools: ["edit_file"], read: true, write: true },
  webfetch: { tools: ["http_request"] },
  websearch: { tools: ["web_search"] },
};

/** `allowed-tools` of the format, as `Bash(git:*) Read`. */
function allowedTools(value: unknown, notes: string[]): Permissions {
  if (value === undefined || value === null) return NO_PERMISSIONS;
  const given =
    typeof value === "string" ? (value.match(/[A-Za-z_-]+(?:\([^)]*\))?/g) ?? []) : words(value, "allowed-tools");
  const tools: string[] = [];
  const commands: string[] = [];
  let [reads, writes] = [false, false];
  const unknown: string[] = [];
  for (const one of given) {
    const [, name = "", within = ""] = /^([A-Za-z_-]+)(?:\(([^)]*)\))?$/.exec(one) ?? [];
    const ours = Object.hasOwn(TOOLS, name.toLowerCase()) ? TOOLS[name.toLowerCase()] : undefined;
    if (ours === undefined) {
      unknown.push(one);
      continue;
    }
    tools.push(...ours.tools);
    reads ||= ours.read === true;
    writes ||= ours.write === true;
    const command = /^([A-Za-z0-9._+-]{1,64})(?=[ :*]|$)/.exec(within)?.[1];
    if (name.toLowerCase() === "bash") commands.push(...(command === undefined ? ["sh", "bash"] : [command]));
  }
  if (unknown.length > 0)
    notes.push(`these of its allowed-tools are none of ours: ${unknown.slice(0, 10).map(shown).join(", ")}`);
  return permissionsOf({ tools, commands, read: reads ? ["."] : [], write: writes ? ["."] : [] });
}

/** OpenClaw's `requires`, under whichever of its names. What it would install is said, and never done. */
function required(metadata: Readonly<Record<string, unknown>>, notes: string[]): Requires {
  for (const name of ["openclaw", "clawdbot", "clawdis"]) {
    const found = metadata[name];
    if (found === undefined || found === null) continue;
    const given = record(found, `metadata.${name}`);
    if (given["install"] !== undefined)
      notes.push("it names programs to install: that is not done; what it needs is below, and installing it is yours");
    const requires = given["requires"] === undefined ? {} : record(given["requires"], `metadata.${name}.requires`);
    const config = words(requires["config"], "requires.config");
    if (config.length > 0)
      notes.push(`it wants settings that only OpenClaw has: ${config.slice(0, 10).map(shown).join(", ")}`);
    const list = (key: string): string[] => needed(requires[key], `requires.${key}`);
    return { bins: list("bins"), anyBins: list("anyBins"), env: list("env"), os: words(given["os"], "os") };
  }
  return NO_REQUIRES;
}

/** Some write all of it as JSON in a text. */
function unquoted(value: unknown): unknown {
  if (typeof value !== "string" || !value.trimStart().startsWith("{")) return value;
  try {
    const read: unknown = JSON.parse(value);
    return read;
  } catch {
    return value;
  }
}

/** Names in a list, or as keys that say of each whether it could be left out. */
function needed(value: unknown, what: string): string[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return words(value, what);
  return words(
    Object.entries(value).flatMap(([name, how]) => (how === "optional" ? [] : [name])),
    what,
  );
}

function versionOf(value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  const found = /^v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?$/.exec(String(value).trim());
  return found === null ? null : [found[1], found[2] ?? "0", found[3] ?? "0"].map(Number).join(".");
}

function shortText(value: unknown, most: number, what: string): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value !== "string" || value.length > most)
    throw malformed(`its ${what} is not a text of at most ${most} characters`);
  return value;
}

function words(value: unknown, what: string): string[] {
  if (value === undefined || value === null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map((one) => {
    if (typeof one !== "string" || one.length > 256) throw malformed(`${what} holds something that is no word`);
    return one;
  });
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw malformed(`${what} is no list of names and values`);
  return Object.fromEntries(Object.entries(value));
}

function malformed(why: string): SkillError {
  return new SkillError(
    "malformed",
    `its SKILL.md is refused: ${why}`,
    "the format is described at https://agentskills.io/specification",
  );
}
