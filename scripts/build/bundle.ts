import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { BUNDLED } from "../../skills/bundled.ts";
import { readSkillFolder } from "../../skills/folder.ts";
import { packFiles } from "../../skills/packed.ts";
import { PARTS } from "../../src/main.ts";
import { build as esbuild, type BuildOptions, type OutputFile, type Plugin, transform } from "esbuild";

/** Turns the sources into the texts that go into the executable. */

/** Asset name → its bytes. */
export type Assets = Map<string, Uint8Array>;

interface Stamp {
  readonly version: string;
  readonly commit: string;
  readonly build: string;
  /** Paths of the files that went in, below the root of the project: each bundle adds its own. Left out: nobody asks. */
  readonly inputs?: Set<string>;
}

const TARGET = "node26";

/** @returns what comes out; what went in is added to `inputs`. */
async function bundle(given: BuildOptions, inputs = new Set<string>()): Promise<OutputFile[]> {
  const { outputFiles, metafile } = await esbuild({ ...given, write: false, metafile: true });
  for (const { inputs: used } of Object.values(metafile.outputs))
    for (const [path, { bytesInOutput }] of Object.entries(used)) if (bytesInOutput > 0) inputs.add(path);
  return outputFiles;
}

function options(root: string, stamp: Stamp): BuildOptions {
  return {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: TARGET,
    // A package's ES modules where it has both: what its UMD file requires is hidden from the bundler.
    mainFields: ["module", "main"],
    // One byte a character: half the memory that the text would otherwise take in every process.
    charset: "ascii",
    // Lines stay lines, so that the trace of a bug can be read.
    minifySyntax: true,
    legalComments: "none",
    logLevel: "warning",
    define: {
      WIRKEN_VERSION: JSON.stringify(stamp.version),
      WIRKEN_COMMIT: JSON.stringify(stamp.commit),
      WIRKEN_BUILD: JSON.stringify(stamp.build),
      "process.env.NODE_ENV": '"production"',
    },
    plugins: [
      addons(root),
      webAssembly(root),
      parts,
      optionalPackages,
      oneLanguage,
      noHttpReceivers,
      discordLayers(root),
    ],
  };
}

/** A part that a program imports when it needs it is an asset of its own, with its own copy of what it is made of: the program then keeps to the
 *  little of a package that it uses itself. */
const parts: Plugin = {
  name: "parts",
  setup(build) {
    const names = new Map(Object.entries(PARTS).map(([name, path]) => [basename(path), name]));
    build.onResolve({ filter: /^\.\/[\w-]+\.ts$/ }, ({ path, kind }) => {
      const name = kind === "dynamic-import" ? names.get(basename(path)) : undefined;
      return name === undefined ? null : { path: `./${name}.js`, external: true };
    });
  },
};

/** The packages that bring a native addon, and their file for this platform. */
function addonFiles(root: string): Record<string, string> {
  const target = `${process.platform}-${process.arch}`;
  return {
    "better-sqlite3": join(root, `node_modules/better-sqlite3/prebuilds/${target}.node`),
    keytar: join(root, `node_modules/keytar/prebuilds/${target}/keytar.node`),
  };
}

/** Both packages search the disk for their addon; inside the executable it is an asset. */
function addons(root: string): Plugin {
  return {
    name: "addons",
    setup(build) {
      build.onResolve({ filter: /^addon:/ }, ({ path }) => ({ path, external: true }));
      build.onLoad({ filter: /node_modules\/better-sqlite3\/lib\/binding\.js$/ }, () => ({
        contents: 'exports.getBinding = () => require("addon:better-sqlite3");',
      }));
      build.onLoad({ filter: /node_modules\/keytar\/lib\/keytar\.js$/ }, ({ path }) => ({
        contents: replaceOnce(
          readFileSync(path, "utf8"),
          "var keytar = loadNativeAddon();",
          'var keytar = require("addon:keytar");',
        ),
        resolveDir: join(root, "node_modules/keytar/lib"),
      }));
    },
  };
}

/** The packages that bring a WebAssembly file, by the name of its asset. */
const WASM: Readonly<Record<string, string>> = {
  "matrix-sdk-crypto": "node_modules/@matrix-org/matrix-sdk-crypto-wasm/pkg/matrix_sdk_crypto_wasm_bg",
};

/** The package would read its file from the disk; inside the executable it is an asset, which is read where it lies. */
function webAssembly(root: string): Plugin {
  return {
    name: "web-assembly",
    setup(build) {
      build.onResolve({ filter: /^wasm:/ }, ({ path }) => ({ path, external: true }));
      build.onLoad({ filter: /node_modules\/@matrix-org\/matrix-sdk-crypto-wasm\/(node|index)\.mjs$/ }, () => ({
        contents: `import * as bindings from "./pkg/matrix_sdk_crypto_wasm_bg.js";
const bytes = require("wasm:matrix-sdk-crypto");
let loading = null;
async function load() {
  const { instance } = await WebAssembly.instantiate(bytes, { "./matrix_sdk_crypto_wasm_bg.js": bindings });
  bindings.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start();
}
export async function initAsync() {
  await (loading ??= load());
}
export * from "./pkg/matrix_sdk_crypto_wasm_bg.js";`,
        resolveDir: join(root, "node_modules/@matrix-org/matrix-sdk-crypto-wasm"),
      }));
    },
  };
}

/** What {@link webAssembly} asks for. */
export function wasmAssets(root: string): Assets {
  const assets: Assets = new Map();
  for (const [name, path] of Object.entries(WASM))
    assets.set(`wasm/${name}.wasm`, readFileSync(join(root, `${path}.wasm`)));
  return assets;
}

/** Speed-ups that packages look for in a `try`. A lookup at run time would search the folder of the executable, where anybody may have
 *  put a `node_modules`: so they are decided here. Not an empty module: `ws` would take that for the real one and call into it. */
const OPTIONAL = ["bufferutil", "utf-8-validate", "zlib-sync"];
const optionalPackages: Plugin = {
  name: "optional-packages",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${OPTIONAL.join("|")})$`) }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /./, namespace: "absent" }, ({ path }) => ({
      contents: `throw Object.assign(new Error("${path} is not part of the executable"), { code: "MODULE_NOT_FOUND" });`,
    }));
  },
};

/** zod brings its sentences in fifty languages, which every process would hold in memory; ours are English. */
const oneLanguage: Plugin = {
  name: "one-language",
  setup(build) {
    build.onLoad({ filter: /node_modules\/zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
      resolveDir: join(import.meta.dirname, "../../node_modules/zod/v4/locales"),
    }));
  },
};

/** Bolt loads what its HTTP receivers need wherever it is loaded, and no option of its stops that. Ours speaks Socket Mode and listens to nobody: left out, the Slack adapter
 *  takes 9 MB less. Whatever called into them would fail at once. */
const RECEIVERS = ["express", "raw-body", "@slack/oauth"];
const noHttpReceivers: Plugin = {
  name: "no-http-receivers",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^(${RECEIVERS.join("|")})$`) }, ({ path }) => ({
      path,
      namespace: "unused",
    }));
    build.onLoad({ filter: /./, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
  },
};

/** Two of discord.js's layers as the Discord adapter needs them: its REST client in the edition that brings no HTTP client of its own, and its gateway in the
 *  edition that does not ask where its file lies, with a WebSocket that goes out by the process's lane (it takes no other from its caller). */
function discordLayers(root: string): Plugin {
  return {
    name: "discord-layers",
    setup(build) {
      build.onResolve({ filter: /^@discordjs\/rest$/ }, () => ({
        path: join(root, "node_modules/@discordjs/rest/dist/web.mjs"),
      }));
      build.onResolve({ filter: /^@discordjs\/ws$/ }, () => ({
        path: join(root, "node_modules/@discordjs/ws/dist/index.js"),
      }));
      build.onResolve({ filter: /^ws$/ }, ({ importer }) =>
        importer.includes("/@discordjs/ws/") ? { path: join(root, "adapters/discord/web-socket.ts") } : null,
      );
    },
  };
}

function replaceOnce(text: string, what: string, by: string): string {
  if (text.split(what).length !== 2)
    throw new Error(`expected "${what}" once: the package has changed, adapt the build`);
  return text.replace(what, by);
}

/** The main file: a few kilobytes that choose an asset. */
export async function bundleMain(root: string, stamp: Stamp): Promise<Uint8Array> {
  const outputFiles = await bundle(
    {
      ...options(root, stamp),
      entryPoints: ["src/main.ts"],
      format: "esm",
    },
    stamp.inputs,
  );
  return only(outputFiles);
}

/** One child's program: one text, so that its process holds its own code and nobody else's. */
export async function bundleRole(root: string, stamp: Stamp, name: string, entry: string): Promise<Assets> {
  const outputFiles = await bundle(
    {
      ...options(root, stamp),
      entryPoints: [entry],
      format: "cjs",
      // There is no loader for `import()` in the executable: it becomes `require`.
      supported: { "dynamic-import": false },
    },
    stamp.inputs,
  );
  return new Map([[`code/${name}.cjs`, only(outputFiles)]]);
}

/** A program whose parts are loaded when they are needed: what it imports with `import()` becomes assets of their own.
 *  esbuild splits ES modules only, so each part is turned to CommonJS afterwards. */
export async function bundleSplit(root: string, stamp: Stamp, name: string, entry: string): Promise<Assets> {
  const outputFiles = await bundle(
    {
      ...options(root, stamp),
      entryPoints: [{ in: entry, out: name }],
      format: "esm",
      splitting: true,
      outdir: "/",
      chunkNames: `${name}-[hash]`,
    },
    stamp.inputs,
  );
  const assets: Assets = new Map();
  for (const { path, text } of outputFiles) {
    const { code } = await transform(text, {
      format: "cjs",
      target: TARGET,
      charset: "ascii",
      supported: { "dynamic-import": false },
    });
    assets.set(`code/${basename(path, ".js")}.cjs`, Buffer.from(code));
  }
  return assets;
}

/** The web page: its documents as they are, its script bundled for a browser. */
export async function bundlePage(root: string, inputs = new Set<string>()): Promise<Assets> {
  const folder = join(root, "src/web/page");
  const files = readdirSync(folder).toSorted();
  const assets: Assets = new Map();
  for (const file of files) {
    if (!/\.ts$|^tsconfig/.test(file)) assets.set(`page/${file}`, readFileSync(join(folder, file)));
  }
  const outputFiles = await bundle(
    {
      absWorkingDir: root,
      entryPoints: ["src/web/page/main.ts"],
      bundle: true,
      platform: "browser",
      target: "es2023",
      format: "esm",
      minify: true,
      legalComments: "none",
      logLevel: "warning",
    },
    inputs,
  );
  assets.set("page/main.js", only(outputFiles));
  return assets;
}

/** The skills that we ship, each with all of its files. */
export function skillAssets(root: string): Assets {
  return new Map(
    BUNDLED.map((name) => [`skills/${name}`, packFiles(readSkillFolder(join(root, "skills/bundled", name)))] as const),
  );
}

/** The native addons for this platform. */
export function addonAssets(root: string): Assets {
  const assets: Assets = new Map();
  for (const [name, path] of Object.entries(addonFiles(root))) assets.set(`addon/${name}.node`, readFileSync(path));
  return assets;
}

function only(files: readonly { readonly contents: Uint8Array }[]): Uint8Array {
  const [file, ...more] = files;
  if (file === undefined || more.length > 0) throw new Error(`expected one output file, got ${files.length}`);
  return file.contents;
}
