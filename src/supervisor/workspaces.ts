import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { identityOf, type Place, SHARED } from "../sandbox/folder.ts";
import type { Folders } from "./folders.ts";

/** Whose directories these are: people's ids hold a `_`, and agents' names do not. */
const PERSON = /^p_[0-9a-z]+$/;

/** Where agents work, below `workspaces/`:
 *
 *  ```
 *  <agent>/          what all people share with it: their own workspaces have it as `shared/`, and in group talk there is nothing else.
 *  <person>/<agent>/ that person's own
 *  ```
 *
 *  Builds before this one knew the first alone: what lies there goes on as what is shared. */
export class Workspaces {
  readonly #root: string;
  readonly #folders: Pick<Folders, "of">;

  constructor(root: string, folders: Pick<Folders, "of">) {
    this.#root = root;
    this.#folders = folders;
  }

  /** Where a turn takes place; its directories are made if they are not there. */
  placeOf(agent: string, principal: string, talk: "direct" | "group"): Place {
    const shared = this.#made(agent);
    if (talk === "group") return { workspace: shared, folders: this.#folders.of(agent, null).map(plain) };
    const identity = identityOf(shared) ?? "0:0";
    return {
      workspace: this.#made(principal, agent),
      folders: [
        { name: SHARED, path: shared, write: true, identity },
        ...this.#folders.of(agent, principal).map(plain),
      ],
    };
  }

  /** Those of an agent that are there: what all share, and each person's. */
  directories(agent: string): { readonly principal: string | null; readonly path: string }[] {
    const own = this.#people().map((path) => ({ principal: basename(path), path: join(path, agent) }));
    return [{ principal: null, path: join(this.#root, agent) }, ...own].filter(({ path }) => existsSync(path));
  }

  /** What has this name already where such a folder would be, but an empty directory; null: nothing. */
  taken(agent: string, principal: string | null, name: string): string | null {
    const own = principal === null ? [join(this.#root, agent), ...this.#people().map((one) => join(one, agent))] : [];
    const places = principal === null ? own : [join(this.#root, principal, agent)];
    return places.map((place) => join(place, name)).find((path) => isInTheWay(path)) ?? null;
  }

  #people(): string[] {
    try {
      return readdirSync(this.#root)
        .filter((name) => PERSON.test(name))
        .map((name) => join(this.#root, name));
    } catch {
      return [];
    }
  }

  #made(...names: readonly string[]): string {
    let path = this.#root;
    for (const name of names) {
      path = join(path, name);
      mkdirSync(path, { recursive: true, mode: 0o700 });
      chmodSync(path, 0o700);
    }
    return path;
  }
}

function plain({ name, path, write, identity }: Place["folders"][number]): Place["folders"][number] {
  return { name, path, write, identity };
}

function isInTheWay(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isSymbolicLink()) return false;
  return !found.isDirectory() || readdirSync(path).length > 0;
}
