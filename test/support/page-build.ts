import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { bundlePage } from "../../scripts/build/bundle.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** Bundles the page as the build does, to where the web process finds it when it runs from sources. @returns its size in bytes. */
export async function buildPage(): Promise<number> {
  const folder = join(ROOT, "dist/page");
  mkdirSync(folder, { recursive: true });
  let size = 0;
  for (const [name, bytes] of await bundlePage(ROOT)) {
    size += bytes.length;
    // Tests run side by side: each sees a whole file.
    const draft = join(folder, `.${basename(name)}.${process.pid}`);
    writeFileSync(draft, bytes);
    renameSync(draft, join(folder, basename(name)));
  }
  return size;
}
