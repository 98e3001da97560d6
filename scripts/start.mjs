// `npm start [-- OPTIONS]`: installs, builds and starts the daemon, each only if needed. Runs on any Node from 18.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { become, ensurePackages, node, root } from "./bootstrap.mjs";

ensurePackages();
const built = spawnSync(node, [join(root, "scripts", "build.ts")], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
if (built.status !== 0) process.exit(built.status ?? 1);
become(join(root, "dist", process.platform === "win32" ? "wirken.exe" : "wirken"), ["start", ...process.argv.slice(2)]);
