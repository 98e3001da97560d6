import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NODE_FLAGS } from "../src/confine/flags.ts";
import { ENTRIES, PARTS } from "../src/main.ts";
import {
  type Assets,
  addonAssets,
  bundleMain,
  bundlePage,
  bundleRole,
  bundleSplit,
  skillAssets,
  wasmAssets,
} from "./build/bundle.ts";
import { canStrip, writeExecutable } from "./build/executable.ts";
import { commitOf, digestOfInputs } from "./build/inputs.ts";
import { insideAssets } from "./build/packages.ts";

/** Builds `dist/wirken` if anything that it is made of has changed. `--force` builds in any case, `--out PATH` builds elsewhere. */

const root = join(import.meta.dirname, "..");
const { values } = parseArgs({ options: { out: { type: "string" }, force: { type: "boolean", default: false } } });
const target = values.out ?? join(root, "dist/wirken");
const stampPath = `${target}.build.json`;

const commit = commitOf(root);
const also = [commit, process.version, process.platform, process.arch, `strip=${canStrip()}`];
const digest = digestOfInputs(root, also);

function isUpToDate(): boolean {
  try {
    const stamp: unknown = JSON.parse(readFileSync(stampPath, "utf8"));
    const { size, mtimeMs } = statSync(target);
    return JSON.stringify(stamp) === JSON.stringify({ build: digest, size, mtimeMs });
  } catch {
    return false;
  }
}

function versionOf(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (typeof manifest !== "object" || manifest === null || !("version" in manifest)) {
    throw new Error("package.json names no version");
  }
  return String(manifest.version);
}

/** The page's files also lie beside the executable: tests serve them without it. */
function writePage(assets: readonly (readonly [name: string, bytes: Uint8Array])[]): void {
  mkdirSync(join(root, "dist/page"), { recursive: true });
  for (const [name, bytes] of assets) if (name.startsWith("page/")) writeFileSync(join(root, "dist", name), bytes);
}

async function buildAll(): Promise<void> {
  const started = performance.now();
  const inputs = new Set<string>();
  const stamp = { version: versionOf(), commit, build: digest, inputs };
  const bundles: Promise<Assets>[] = Object.entries({ ...ENTRIES, ...PARTS }).map(([name, entry]) =>
    name === "cli" ? bundleSplit(root, stamp, name, entry) : bundleRole(root, stamp, name, entry),
  );
  const parts = await Promise.all([...bundles, bundlePage(root, inputs)]);
  if (values.out === undefined) writePage(parts.flatMap((part) => [...part]));
  const assets: Assets = new Map([
    ...parts.flatMap((part) => [...part]),
    ...addonAssets(root),
    ...wasmAssets(root),
    ...skillAssets(root),
  ]);
  const main = await bundleMain(root, stamp);
  // The last one: by now every bundle has said what went into it.
  for (const [name, bytes] of insideAssets(root, inputs)) assets.set(name, bytes);
  writeExecutable(root, target, { main, assets, flags: NODE_FLAGS });
  const { size, mtimeMs } = statSync(target);
  writeFileSync(stampPath, JSON.stringify({ build: digest, size, mtimeMs }));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`built ${target} (${Math.round(size / 1e6)} MB) in ${seconds} s\n`);
}

if (values.force || !isUpToDate()) {
  try {
    await buildAll();
  } catch (error) {
    // What esbuild found stands above, with its place.
    process.stderr.write(`the build failed: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
