// `npm run bench [-- NAME…]`: installs and builds if needed, then measures. Runs on any Node from 18.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { become, ensurePackages, node, root } from "./bootstrap.mjs";

ensurePackages();
process.chdir(root);
const built = spawnSync(node, [join(root, "scripts", "build.ts")], {
  cwd: root,
  stdio: ["ignore", "inherit", "inherit"],
});
if (built.status !== 0) process.exit(built.status ?? 1);
become(node, [join(root, "scripts", "bench.ts"), ...process.argv.slice(2)]);
