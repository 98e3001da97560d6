/** What may stand in the settings of a repository that a command has made: they are read by git outside of the sandbox, too, and git runs what many of them
 *  name. So it is a list of what may, by key and by value, and the file is written anew from what was understood of it. */

/** Of a settings file, in bytes, and of what stands in it: more than any clone has. */
export const MAX_GIT_CONFIG = 64 * 1024;
const MAX_LINES = 2_000;

const FLAG = /^(?:true|false)$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const PART = String.raw`[A-Za-z0-9_@#+][A-Za-z0-9._@#+=-]*`;
/** Of a branch, or below `refs/`. */
const PATH = String.raw`${PART}(?:/${PART}){0,15}`;
const BRANCH = new RegExp(`^${PATH}$`);
const HEADS = new RegExp(`^refs/heads/${PATH}$`);
/** What is fetched becomes what a remote has, or a tag; nothing of one's own. */
const FETCH = new RegExp(
  String.raw`^\+?refs/(?:heads|tags)/(?:${PATH}/)?(?:\*|${PART}):refs/(?:remotes/${PATH}|tags)/(?:${PATH}/)?(?:\*|${PART})$`,
);
/** By a protocol that git speaks itself, without a name or a password in it; or a directory of the workspace, as commands see it. No other transport: some
 *  of them run what they are given. */
const URL =
  /^(?:https?:\/\/[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::\d{1,5})?\/[A-Za-z0-9._~%+/-]{0,1024}|\/workspace(?:\/[A-Za-z0-9._+-]+){0,32})$/;

/** By section: whether its name in quotes is one, and what each key may be. Git takes sections and keys in any case. */
const SECTIONS: Readonly<
  Record<string, { readonly named: RegExp | null; readonly keys: Readonly<Record<string, (value: string) => boolean>> }>
> = {
  core: {
    named: null,
    keys: {
      repositoryformatversion: is(/^[01]$/),
      filemode: is(FLAG),
      bare: is(FLAG),
      logallrefupdates: is(/^(?:true|false|always)$/),
      ignorecase: is(FLAG),
      precomposeunicode: is(FLAG),
      symlinks: is(FLAG),
    },
  },
  // What a repository of format 1 is unreadable without. Not: settings of worktrees, which are read from another file.
  extensions: {
    named: null,
    keys: { objectformat: is(/^sha(?:1|256)$/), refstorage: is(/^(?:files|reftable)$/) },
  },
  remote: {
    named: NAME,
    keys: {
      url: (value) => URL.test(value) && !value.includes(".."),
      fetch: (value) => FETCH.test(value) && !value.includes(".."),
      tagopt: is(/^--(?:no-)?tags$/),
    },
  },
  branch: {
    named: BRANCH,
    keys: {
      remote: (value) => value === "." || NAME.test(value),
      merge: (value) => HEADS.test(value) && !value.includes(".."),
      rebase: is(FLAG),
    },
  },
};

function is(pattern: RegExp): (value: string) => boolean {
  return (value) => pattern.test(value);
}

const HEADER = /^\[([A-Za-z][A-Za-z0-9-]{0,31})(?: "([^"\\\p{Cc}]{1,255})")?\]$/u;
/** Quotes around the whole of a value, or none; nothing in it that git would read as another thing. */
const SETTING = /^([A-Za-z][A-Za-z0-9-]{0,63}) ?= ?(?:"([^"\\\p{Cc}]*)"|([^"\\;#\p{Cc}]*))$/u;

const KEY = /^[A-Za-z][A-Za-z0-9-]{0,63}/;

export interface CleanGitConfig {
  /** The file as it may stay. */
  readonly text: string;
  /** What was left out: `section.key`, or a line that was not understood. Shown escaped. */
  readonly left: readonly string[];
}

/** The settings of a new repository, from what was understood of them. */
export function cleanGitConfig(text: string): CleanGitConfig {
  const kept: string[] = [];
  const left: string[] = [];
  // Undefined: one that may not stay, with all that is in it.
  let section: Section | null | undefined = null;
  let shown: string | null = null;
  const lines = text.split(/\r?\n/);
  if (lines.length > MAX_LINES) left.push("too many lines");
  for (const raw of lines.slice(0, MAX_LINES)) {
    const line = raw.trim();
    if (line === "" || line.startsWith("#") || line.startsWith(";")) continue;
    const header = HEADER.exec(line);
    if (header !== null) {
      section = sectionOf(header[1] ?? "", header[2] ?? null);
      if (section === undefined) left.push(line);
      continue;
    }
    if (section === undefined) continue;
    const setting = SETTING.exec(line);
    const [key, value] = [setting?.[1]?.toLowerCase() ?? "", setting?.[2] ?? setting?.[3] ?? ""];
    if (section === null || setting === null || !admits(section.name, key, value)) {
      const word = KEY.exec(line)?.[0].toLowerCase();
      left.push(word === undefined || section === null ? line : `${section.name}.${word}`);
      continue;
    }
    if (shown !== section.header) kept.push(section.header);
    shown = section.header;
    // In quotes: git would read what follows a `#` as a remark.
    kept.push(`\t${key} = ${/[#;]/.test(value) ? `"${value}"` : value}`);
  }
  return { text: kept.length === 0 ? "" : `${kept.join("\n")}\n`, left };
}

interface Section {
  readonly name: string;
  /** As it is written. */
  readonly header: string;
}

function sectionOf(word: string, quoted: string | null): Section | undefined {
  const name = word.toLowerCase();
  if (!Object.hasOwn(SECTIONS, name)) return undefined;
  const named = SECTIONS[name]?.named ?? null;
  if (named === null) return quoted === null ? { name, header: `[${name}]` } : undefined;
  if (quoted === null || !named.test(quoted) || quoted.includes("..")) return undefined;
  return { name, header: `[${name} "${quoted}"]` };
}

function admits(section: string, key: string, value: string): boolean {
  const keys = SECTIONS[section]?.keys ?? {};
  return Object.hasOwn(keys, key) && keys[key]?.(value) === true;
}
