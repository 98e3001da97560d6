// `npm test [-- --long] [-- FILTER…]`: installs if needed, then goes on under the Node that comes with the packages.
import { join } from "node:path";
import { become, ensurePackages, node, root } from "./bootstrap.mjs";

ensurePackages();
process.chdir(root);
become(node, [join(root, "scripts", "test.ts"), ...process.argv.slice(2)]);
