import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { getAsset, isSea } from "node:sea";

/** What the browser is given, by path. */
const FILES = {
  "/": { name: "index.html", type: "text/html; charset=utf-8" },
  "/style.css": { name: "style.css", type: "text/css; charset=utf-8" },
  "/main.js": { name: "main.js", type: "text/javascript; charset=utf-8" },
} as const;
export type PageAssets = Readonly<Record<keyof typeof FILES, { readonly type: string; readonly bytes: Uint8Array }>>;

/** Reads the page: out of the executable, else from `dist/page`, where a test has built it. Call it before the walls: there are no files after. */
export function readPage(): PageAssets {
  const read = ({ name, type }: (typeof FILES)[keyof typeof FILES]) => ({ type, bytes: bytesOf(name) });
  return { "/": read(FILES["/"]), "/style.css": read(FILES["/style.css"]), "/main.js": read(FILES["/main.js"]) };
}

function bytesOf(name: string): Uint8Array {
  if (isSea()) return new Uint8Array(getAsset(`page/${name}`));
  const entry = process.argv[1] ?? ""; // src/web/main.ts
  return readFileSync(join(dirname(entry), "../../dist/page", name));
}
