import { randomBytes } from "node:crypto";
import { readdirSync, renameSync } from "node:fs";
import { Directory } from "./directory.ts";
import { HOME_FOLDER } from "./home-folder.ts";
import type { Place } from "./folder.ts";
import { isProtected } from "./protected.ts";

/** Protected files as they are in a workspace at one time, by path, with what identifies the very file. */
export type Survey = ReadonlyMap<
  string,
  { readonly identity: string; readonly kind: "file" | "directory" | "link" | "other" }
>;

/** Directories looked into, and how deep; beyond that a protected name is found by nobody. `node_modules` and what is protected whole are not gone into. */
const MAX_DIRECTORIES = 5_000;
const MAX_DEPTH = 10;

/** How deep it is looked into what commands have as their home: their caches lie below that. */
const MAX_DEPTH_AT_HOME = 3;

/** The protected files of a workspace and of those of its folders that may be changed, by path in the workspace. */
export function surveyAll(place: Place): Survey {
  const parts = changeable(place).map(({ path, prefix }) =>
    [...survey(path)].map(([name, found]) => [`${prefix}${name}`, found] as const),
  );
  return new Map(parts.flat());
}

/** {@link setAside} in a workspace and in those of its folders that may be changed. @param before of {@link surveyAll}. */
export function setAllAside(place: Place, before: Survey): { readonly path: string; readonly now: string }[] {
  return changeable(place).flatMap(({ path, prefix }) => {
    const own = new Map(
      [...before].flatMap(([name, found]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), found] as const] : [],
      ),
    );
    return setAside(path, own).map((moved) => ({
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
  const found = new Map<string, { identity: string; kind: "file" | "directory" | "link" | "other" }>();
  using top = Directory.open(root);
  let left = MAX_DIRECTORIES;
  const visit = (directory: Directory, names: readonly string[]): void => {
    left -= 1;
    for (const entry of readdirSync(directory.self, { withFileTypes: true })) {
      const kind = entry.isDirectory()
        ? "directory"
        : entry.isFile()
          ? "file"
          : entry.isSymbolicLink()
            ? "link"
            : "other";
      const path = [...names, entry.name];
      if (isProtected(path, kind === "link" ? "other" : kind)) {
        const stats = directory.look(entry.name);
        if (stats !== null) found.set(path.join("/"), { identity: `${stats.dev}:${stats.ino}`, kind });
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
      visit(held, path);
    }
  };
  visit(top, []);
  return found;
}

/** Moves aside what a command put under a protected name. A bind keeps it from changing those that were there; one that was not there, or whose
 *  directory was renamed away, cannot be bound.
 *  @returns the paths, and where each is now. */
export function setAside(root: string, before: Survey): { readonly path: string; readonly now: string }[] {
  const moved: { path: string; now: string }[] = [];
  for (const [path, { identity }] of survey(root)) {
    if (before.get(path)?.identity === identity) continue;
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
      const aside = `${name}.set-aside-${randomBytes(4).toString("hex")}`;
      renameSync(directory.at(name), directory.at(aside));
      moved.push({ path, now: [...names, aside].join("/") });
    } finally {
      for (const one of held) one[Symbol.dispose]();
    }
  }
  return moved;
}
