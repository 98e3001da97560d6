/** Files of a workspace that steer an agent, an editor, git or a package manager: what is written there runs, or is obeyed, later and elsewhere.
 *  They are read-only in every sandbox, and tier 3 for file tools. */

const FILES = new Set([
  // What an agent is told.
  "agents.md",
  "soul.md",
  "user.md",
  // What a shell runs on entering a directory, or an editor on opening one.
  ".envrc",
  ".exrc",
  ".nvim.lua",
  // What a hook of git's that stands already runs, and which servers an agent of an editor's starts.
  ".pre-commit-config.yaml",
  "lefthook.yml",
  ".lefthook.yml",
  ".mcp.json",
  // Where a package manager fetches from, and what it runs.
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  ".pnpmfile.cjs",
  "bunfig.toml",
  "pip.conf",
  ".pypirc",
]);

/** What an editor, or git, runs without being asked. */
const DIRECTORIES = new Set([".vscode", ".idea", ".devcontainer", ".husky", ".zed", ".cursor", ".claude"]);

/** Inside `.git`: hooks, the settings that name programs, and what points at settings elsewhere. */
const GIT_FILES = new Set(["config", "config.worktree", "commondir"]);
const GIT_DIRECTORIES = new Set(["hooks", "modules", "worktrees"]);

/** The same of Mercurial's. */
const HG_FILES = new Set(["hgrc", "hgrc-not-shared", "sharedpath"]);

/** All of these names, for the policy that is on the record. */
export const PROTECTED = {
  files: [
    ...FILES,
    ".git (where it is a file)",
    "HEAD (it makes a directory of any name a repository, in which the same is protected as in .git)",
    ".cargo/config.toml",
    ".git/info/attributes",
    ...[...GIT_FILES].map((name) => `.git/${name}`),
    ...[...HG_FILES].map((name) => `.hg/${name}`),
  ],
  directories: [...DIRECTORIES, ...[...GIT_DIRECTORIES].map((name) => `.git/${name}`)],
} as const;

/** Is this path one of them, or inside one? A path's case is no way around it: file systems that ignore it exist.
 *  @param names the components of a resolved path, from the workspace down.
 *  @param kind of what is there; a `.git` that is no directory points git at another place. */
export function isProtected(names: readonly string[], kind: "file" | "directory" | "other" | "missing"): boolean {
  const folded = names.map((name) => name.toLowerCase());
  const last = folded.at(-1);
  if (last === undefined) return false;
  if (FILES.has(last) || folded.some((name) => DIRECTORIES.has(name))) return true;
  if (last === ".git" && kind !== "directory") return true;
  if (last === "config.toml" && folded.at(-2) === ".cargo") return true;
  if (folded.at(-2) === ".hg" && HG_FILES.has(last)) return true;
  return folded.some((name, at) => {
    if (name !== ".git") return false;
    const inside = folded[at + 1];
    if (inside === undefined) return false;
    if (GIT_DIRECTORIES.has(inside)) return true;
    if (inside === "info" && folded[at + 2] === "attributes") return true;
    return GIT_FILES.has(inside) && at + 2 === folded.length;
  });
}

/** The file without which git takes no directory for a repository. Where it lies, whatever the directory's name, git may obey what is there as if that lay
 *  in `.git`: at once, or as soon as somebody adds what is missing still. */
export const HEAD = "HEAD";

/** Does this path make a directory one that git could take for a repository? Inside `.git` it is one already. */
export function makesRepository(names: readonly string[]): boolean {
  return names.at(-1)?.toLowerCase() === "head" && !names.some((name) => name.toLowerCase() === ".git");
}
