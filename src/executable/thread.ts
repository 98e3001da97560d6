import { getRawAsset } from "node:sea";
import { type ResourceLimits, Worker } from "node:worker_threads";

/** What stands around the code of an asset in a thread of its own: there is no loader that a thread could use, so it is given a `require` of built-in
 *  modules and of native addons that the process has loaded. Loading the same file again gives the thread the same copy. */
function wrapped(code: string, places: Readonly<Record<string, string>>): string {
  return `
    const { isBuiltin } = require("node:module");
    const places = ${JSON.stringify(places)};
    const only = (specifier) => {
      if (isBuiltin(specifier)) return process.getBuiltinModule(specifier);
      if (!Object.hasOwn(places, specifier)) throw new Error("a thread cannot load " + specifier);
      const module = { exports: {} };
      process.dlopen(module, places[specifier]);
      return module.exports;
    };
    (function (exports, require, module) {${code}\n})({}, only, { exports: {} });`;
}

/** Makes what starts a thread of the executable that runs `code/<name>.cjs`.
 *  @param addons that the process has loaded before the first thread starts. */
export async function threadsOf(
  name: string,
  addons: readonly string[],
  resourceLimits: ResourceLimits,
): Promise<(given: unknown) => Worker> {
  const { placeOf } = await import("./addon.ts");
  return (given) => {
    const places = Object.fromEntries(addons.map((addon) => [`addon:${addon}`, placeOf(addon)]));
    const code = Buffer.from(getRawAsset(`code/${name}.cjs`)).toString("latin1");
    return new Worker(wrapped(code, places), { eval: true, workerData: given, env: {}, resourceLimits });
  };
}
