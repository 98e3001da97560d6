import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "jsonc-parser";
import type { Assets } from "./bundle.ts";

/** Can debug symbols be removed here? It makes the executable a fifth smaller. */
export function canStrip(): boolean {
  return process.platform === "linux" && spawnSync("strip", ["--version"], { stdio: "ignore" }).status === 0;
}

/** Puts main file, assets and flags into a copy of the running Node, and renames the result into place: whoever runs the old one goes on. */
export function writeExecutable(
  root: string,
  target: string,
  parts: { readonly main: Uint8Array; readonly assets: Assets; readonly flags: readonly string[] },
): void {
  mkdirSync(dirname(target), { recursive: true });
  removeAbandoned(dirname(target));
  const folder = mkdtempSync(join(dirname(target), DRAFT));
  try {
    const node = join(folder, "node");
    copyFileSync(realpathSync(process.execPath), node);
    chmodSync(node, 0o755);
    // Before, not after: a finished executable that is stripped does not start.
    if (canStrip()) execFileSync("strip", [node]);
    writeFileSync(join(folder, "main.mjs"), parts.main);
    const assets: Record<string, string> = {};
    for (const [name, bytes] of [...parts.assets].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const path = `assets/${name}`;
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), bytes);
      assets[name] = path;
    }
    const fixed: unknown = parse(readFileSync(join(root, "sea-config.json"), "utf8"));
    if (typeof fixed !== "object" || fixed === null) throw new Error("sea-config.json is not an object");
    const output = join(folder, "wirken");
    // Relative: Node writes the main file's path into the executable, and two builds must not differ by the name of a folder.
    const config = { ...fixed, main: "main.mjs", output: "wirken", executable: "node", execArgv: parts.flags, assets };
    writeFileSync(join(folder, "sea-config.json"), JSON.stringify(config));
    execFileSync(process.execPath, ["--build-sea", "sea-config.json"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (process.platform === "darwin") execFileSync("codesign", ["--sign", "-", output]);
    renameSync(output, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A build writes into a folder of this name. */
const DRAFT = ".build-";
/** Another build may be at work; none takes this long. */
const ABANDONED_MS = 3_600_000;

/** Removes what a build left that was killed: each is 300 MB. */
function removeAbandoned(folder: string): void {
  for (const name of readdirSync(folder).filter((one) => one.startsWith(DRAFT))) {
    const path = join(folder, name);
    if (Date.now() - statSync(path).mtimeMs > ABANDONED_MS) rmSync(path, { recursive: true, force: true });
  }
}
