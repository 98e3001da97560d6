import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { homeFrom } from "../../src/config/home.ts";
import { replaceVault } from "../../src/supervisor/vault-replace.ts";
import { DataFolder } from "../vault/world.ts";

/** Resets a vault, and dies by its own hand before the change of a file that it is told. argv: folder, the change to die at. Ends with status 0 when there is no such one. */
const [path = "", at = ""] = process.argv.slice(2);

let changes = 0;
for (const name of ["renameSync", "rmSync", "writeFileSync", "chmodSync", "mkdirSync", "unlinkSync"] as const) {
  const real: unknown = Reflect.get(fs, name);
  if (typeof real !== "function") throw new TypeError(`node:fs has no ${name}`);
  Reflect.set(fs, name, (...given: unknown[]): unknown => {
    if (++changes === Number(at)) process.kill(process.pid, "SIGKILL");
    const done: unknown = Reflect.apply(real, fs, given);
    return done;
  });
}
syncBuiltinESMExports();

await replaceVault({
  home: homeFrom({ WIRKEN_HOME: path }),
  keychain: new DataFolder(path).keepers.keychain,
  protector: { kind: "none" },
  from: null,
  reason: "a test",
  via: "terminal",
});
