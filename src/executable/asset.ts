import { isBuiltin } from "node:module";
import { getRawAsset } from "node:sea";
import { Script } from "node:vm";
import type { loadAddon } from "./addon.ts";

/** Code inside the executable lies in assets: `code/<name>.cjs` is CommonJS, `addon/<name>.node` is native, `wasm/<name>.wasm` WebAssembly. */
const CODE = "code/";
const ADDON = "addon/";

type Wrapper = (exports: object, require: (specifier: string) => unknown, module: { exports: unknown }) => void;

const loaded = new Map<string, { exports: unknown }>();

/** Runs the code of one asset, once, and returns what it exports.
 *
 *  Its `require` knows built-in modules and the executable's own assets. It never looks at a disk: a `node_modules` folder that somebody
 *  put beside the executable is not seen. */
export function requireCode(name: string): unknown {
  const found = loaded.get(name);
  if (found !== undefined) return found.exports;
  const filename = `${CODE}${name}.cjs`;
  // The build writes ASCII only, so each byte is one character and V8 keeps one byte for it.
  const text = Buffer.from(getRawAsset(filename)).toString("latin1");
  const script = new Script(`(function (exports, require, module) {${text}\n})`, { filename: `wirken:${filename}` });
  // A compiled function expression: its value has no type of its own.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const run = script.runInThisContext() as Wrapper;
  const module: { exports: unknown } = { exports: {} };
  loaded.set(name, module);
  run(Object(module.exports), requireFromAsset, module);
  return module.exports;
}

function requireFromAsset(specifier: string): unknown {
  if (isBuiltin(specifier)) return process.getBuiltinModule(specifier);
  const code = /^\.\/(.+)\.js$/.exec(specifier)?.[1];
  if (code !== undefined) return requireCode(code);
  const addon = /^addon:(.+)$/.exec(specifier)?.[1];
  if (addon !== undefined) {
    // Once in a process: a second copy of SQLite would not know of the first one's locks, and drop them when it closes the same file.
    const found = loaded.get(specifier);
    if (found !== undefined) return found.exports;
    // Few processes need one, so the loader is an asset too.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const loader = requireCode("addon") as { loadAddon: typeof loadAddon };
    const exports = loader.loadAddon(addon, getRawAsset(`${ADDON}${addon}.node`));
    loaded.set(specifier, { exports });
    return exports;
  }
  // Where it lies: it is compiled, and never changed.
  const wasm = /^wasm:(.+)$/.exec(specifier)?.[1];
  if (wasm !== undefined) return getRawAsset(`wasm/${wasm}.wasm`);
  // Packages probe for optional ones in a `try`, and look for this code.
  throw Object.assign(new Error(`cannot load ${specifier}: only what is inside the executable is loaded`), {
    code: "MODULE_NOT_FOUND",
  });
}
