import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchownSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { Directory } from "./directory.ts";
import { type CleanGitConfig, cleanGitConfig, MAX_GIT_CONFIG } from "./git-config.ts";
import { HOME_FOLDER } from "./home-folder.ts";
import type { Place } from "./folder.ts";
import { HEAD, isProtected } from "./protected.ts";

/** Protected files as they are in a workspace at one time, by path, with what identifies the very file. */
export type Survey = ReadonlyMap<string, Surveyed>;

interface Surveyed {
  readonly identity: string;
  readonly kind: "file" | "directory" | "link" | "other";
  /** What of a repository it is, where some of that may stay in one that a command makes. */
  readonly of: "git settings" | "git hooks" | null;
  /** Of a repository that a command has made, and as it may be: a command changes it, and what it leaves is looked through again. */
  readonly open: boolean;
}

/** Something that a command put under a protected name. */
export interface SetAside {
  readonly path: string;
  /** Where it is now. */
  readonly now: string;
  /** What of it stays in its place, and what was left out; not given: nothing does. */
  readonly left?: readonly string[];
}

/** Directories looked into, and how deep; beyond that a protected name is found by nobody. `node_modules` and what is protected whole are not gone into. */
const MAX_DIRECTORIES = 5_000;
const MAX_DEPTH = 10;

/** How deep it is looked into what commands have as their home: their caches lie below that. */
const MAX_DEPTH_AT_HOME = 3;

/** The protected files of a workspace and of those of its folders that may be changed, by path in the workspace. */
export function surveyAll(place: Place): Survey {
  const parts = changeable(place).map(({ path, prefix }) =>
    [...survey(path)].flatMap(([name, found]) => (found.open ? [] : [[`${prefix}${name}`, found] as const])),
  );
  return new Map(parts.flat());
}

/** {@link setAside} in a workspace and in those of its folders that may be changed. @param before of {@link surveyAll}. */
export function setAllAside(place: Place, before: Survey): SetAside[] {
  return changeable(place).flatMap(({ path, prefix }) => {
    const own = new Map(
      [...before].flatMap(([name, found]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), found] as const] : [],
      ),
    );
    return setAside(path, own).map((moved) => ({
      ...moved,
      path: `${prefix}${moved.path}`,
      now: `${prefix}${moved.now}`,
    }));
  });
}

/** Directories that a command may change, and what stands before their paths in the workspace. */
function changeable({ workspace, folders }: Place): { readonly path: string; readonly prefix: string }[] {
  return [
    { path: workspace, prefix: "" },
    ...folders.filter(({ write }) => write).map(({ name, path }) => ({ path, prefix: `${name}/` })),
  ];
}

/** Finds the protected files of a directory. Links are not followed. */
export function survey(root: string): Survey {
  const found = new Map<string, Surveyed>();
  using top = Directory.open(root);
  let left = MAX_DIRECTORIES;
  // `judged` are the names by which it is judged: a repository of another name counts as `.git`.
  const visit = (directory: Directory, names: readonly string[], above: readonly string[]): void => {
    left -= 1;
    const entries = readdirSync(directory.self, { withFileTypes: true });
    const isRepository = entries.some((entry) => entry.name === HEAD && !entry.isDirectory());
    const judged = isRepository ? [...above.slice(0, -1), ".git"] : above;
    for (const entry of entries) {
      const kind = entry.isDirectory()
        ? "directory"
        : entry.isFile()
          ? "file"
          : entry.isSymbolicLink()
            ? "link"
            : "other";
      const path = [...names, entry.name];
      const asked = [...judged, entry.name];
      if (isProtected(asked, kind === "link" ? "other" : kind)) {
        const stats = directory.look(entry.name);
        const of = partOf(asked, kind);
        const open = of !== null && isCommands(directory, entry.name, of);
        if (stats !== null) found.set(path.join("/"), { identity: `${stats.dev}:${stats.ino}`, kind, of, open });
        continue;
      }
      const deepest = path[0] === HOME_FOLDER ? MAX_DEPTH_AT_HOME : MAX_DEPTH;
      if (kind !== "directory" || entry.name === "node_modules" || path.length >= deepest || left <= 0) continue;
      let child: Directory;
      try {
        child = directory.child(entry.name);
      } catch {
        // Not ours to enter, or gone: a command run as the same user cannot enter it either.
        continue;
      }
      using held = child;
      visit(held, path, asked);
    }
  };
  visit(top, [], []);
  return found;
}

function partOf(names: readonly string[], kind: Surveyed["kind"]): Surveyed["of"] {
  if (names.at(-2) !== ".git") return null;
  if (names.at(-1) === "config" && kind === "file") return "git settings";
  return names.at(-1) === "hooks" && kind === "directory" ? "git hooks" : null;
}

/** Moves aside what a command put under a protected name. A bind keeps it from changing those that were there; one that was not there, or whose
 *  directory was renamed away, cannot be bound.
 *  Of a repository that it made, what may stay of the settings does, and hooks that nothing runs do. */
export function setAside(root: string, before: Survey): SetAside[] {
  const moved: SetAside[] = [];
  for (const [path, { identity, of, open }] of survey(root)) {
    if (open || before.get(path)?.identity === identity) continue;
    const names = path.split("/");
    const name = names.pop();
    if (name === undefined) continue;
    const held = [Directory.open(root)];
    try {
      let directory = held[0];
      for (const above of names) {
        directory = directory?.child(above);
        if (directory !== undefined) held.push(directory);
      }
      if (directory === undefined) continue;
      const isNew = !before.has(path);
      if (isNew && of === "git hooks" && areSamples(directory, name)) continue;
      const settings = isNew && of === "git settings" ? settingsOf(directory, name) : null;
      if (settings?.left.length === 0) {
        putInPlace(directory, name, settings.text, root);
        continue;
      }
      const aside = `${name}.set-aside-${randomBytes(4).toString("hex")}`;
      renameSync(directory.at(name), directory.at(aside));
      if (settings !== null) putInPlace(directory, name, settings.text, root);
      const now = [...names, aside].join("/");
      moved.push(settings === null ? { path, now } : { path, now, left: settings.left });
    } finally {
      for (const one of held) one[Symbol.dispose]();
    }
  }
  return moved;
}

/** How the settings of a repository begin that a command has made. Nobody writes this into their own; whoever adds something of theirs has made it their own. */
const MADE = "# A command of an agent's has made this. What could run something was left out of it.\n";

function isCommands(directory: Directory, name: string, of: "git settings" | "git hooks"): boolean {
  if (of === "git hooks" && !areSamples(directory, name)) return false;
  const settings = settingsOf(directory, "config");
  return settings !== null && settings.text === settings.whole && !settings.linked;
}

/** What git puts there itself: nothing runs a hook of such a name. */
function areSamples(parent: Directory, name: string): boolean {
  let child: Directory;
  try {
    child = parent.child(name);
  } catch {
    return false; // Not ours to enter.
  }
  using hooks = child;
  return readdirSync(hooks.self, { withFileTypes: true }).every(
    (entry) => entry.isFile() && entry.name.endsWith(".sample"),
  );
}

/** @returns null where it is no settings file that is understood at all. */
function settingsOf(
  directory: Directory,
  name: string,
): (CleanGitConfig & { readonly whole: string; readonly linked: boolean }) | null {
  let file: number;
  try {
    file = openSync(directory.at(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    return null;
  }
  try {
    const stats = fstatSync(file);
    if (!stats.isFile() || stats.size > MAX_GIT_CONFIG) return null;
    const bytes = Buffer.alloc(stats.size);
    const read = readSync(file, bytes);
    const whole = bytes.subarray(0, read).toString("utf8");
    const { text, left } = cleanGitConfig(whole);
    // One that has a second name could be changed by that.
    return { text: `${MADE}${text}`, left, whole, linked: stats.nlink > 1 };
  } finally {
    closeSync(file);
  }
}

/** Always another file than the command's own: that one may have a second name by which it could be changed. */
function putInPlace(directory: Directory, name: string, text: string, root: string): void {
  const temporary = `.wirken-${randomBytes(8).toString("hex")}.tmp`;
  const file = openSync(
    directory.at(temporary),
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o644,
  );
  try {
    writeFileSync(file, text);
    if (process.getuid?.() === 0) {
      const { uid, gid } = statSync(root);
      fchownSync(file, uid, gid);
    }
  } finally {
    closeSync(file);
  }
  renameSync(directory.at(temporary), directory.at(name));
}
