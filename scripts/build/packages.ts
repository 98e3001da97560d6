import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import * as z from "zod/mini";
import { INSIDE, type Inside, type PackageInside } from "../../src/executable/inside.ts";
import type { Assets } from "./bundle.ts";

/** What other people's work is in the executable, for who has to know: its name, version, licence and text. */

const Manifest = z.object({ name: z.string(), version: z.string(), license: z.string() });
const Lock = z.object({ packages: z.record(z.string(), z.object({ integrity: z.optional(z.string()) })) });

/** Where a package's folder ends in the path of one of its files. */
const FOLDER = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/;
const TEXTS = /^(?:licen[cs]e|copying|notice)(?:[.-]|$)/i;

/** @param inputs paths below `root` of what went into the executable. @returns their packages' folders, each once, in order. */
export function packageFolders(inputs: Iterable<string>): string[] {
  const folders = new Set<string>();
  for (const path of inputs) {
    const [folder] = FOLDER.exec(path) ?? [];
    if (folder !== undefined) folders.add(folder);
  }
  return [...folders].toSorted();
}

/** What stands in the package's own files of its licence, and in the lock file of its digest. @throws {Error} for a package that names no licence. */
export function packagesInside(root: string, folders: readonly string[]): PackageInside[] {
  const lock = Lock.parse(JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")));
  const packages = folders.map((folder) => {
    const { name, version, license } = Manifest.parse(
      JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")),
    );
    const texts = readdirSync(join(root, folder), { withFileTypes: true })
      .filter((entry) => entry.isFile() && TEXTS.test(entry.name))
      .map((entry) => readFileSync(join(root, folder, entry.name), "utf8").trim());
    return {
      name,
      version,
      licence: license,
      integrity: lock.packages[folder]?.integrity ?? null,
      text: texts.join("\n\n"),
    };
  });
  return packages.toSorted((a, b) => a.name.localeCompare(b.name, "en") || a.version.localeCompare(b.version, "en"));
}

/** The licence of the runtime that the executable is a copy of: it lies beside Node's own folder `bin`. @throws {Error} where it does not. */
function runtimeText(): string {
  return readFileSync(join(dirname(realpathSync(process.execPath)), "../LICENSE"), "utf8").trim();
}

/** @param inputs as {@link packageFolders} takes them. */
export function insideAssets(root: string, inputs: Iterable<string>): Assets {
  const inside: Inside = { packages: packagesInside(root, packageFolders(inputs)), runtime: runtimeText() };
  return new Map([[INSIDE, gzipSync(JSON.stringify(inside), { level: 9 })]]);
}
