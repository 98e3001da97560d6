import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What the executable is made of. Tests, documents and the projects of the type checker are not. */
const FOLDERS = ["src", "adapters", "audit", "vault", "skills", "scripts/build"];
const FILES = ["scripts/build.ts", "sea-config.json", "package.json", "package-lock.json"];

/** Every input file, by its path from `root`, in one order everywhere. */
export function inputFiles(root: string): string[] {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("tsconfig"))
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1)),
  );
  return [...found, ...FILES].toSorted();
}

/** SHA-256 over names and bytes of every input, and over what else decides the output, as 32 hex digits. */
export function digestOfInputs(root: string, also: readonly string[]): string {
  const digest = createHash("sha256");
  for (const text of also) digest.update(`${text}\0`);
  for (const path of inputFiles(root)) {
    digest.update(`${path}\0`).update(
      createHash("sha256")
        .update(readFileSync(join(root, path)))
        .digest(),
    );
  }
  return digest.digest("hex").slice(0, 32);
}

/** The newest commit that touched an input, so that a commit of a test or a document makes no build stale.
 *  `unknown` outside a Git checkout, `…+changed` when an input differs from that commit. */
export function commitOf(root: string): string {
  const git = (...words: string[]): string =>
    execFileSync("git", ["--no-optional-locks", "-C", root, ...words, "--", ...FOLDERS, ...FILES], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  try {
    const commit = git("log", "-1", "--format=%H");
    if (commit === "") return "unknown";
    return git("status", "--porcelain") === "" ? commit : `${commit}+changed`;
  } catch {
    return "unknown";
  }
}
