/** A child that never comes back to its event loop, so that it cannot notice the end of its pipe. argv: `bare` or `walls`. */
import { writeSync } from "node:fs";
import { buildWalls } from "../../../src/confine/walls.ts";

if (process.argv[2] === "walls") buildWalls({ sockets: "none", files: "none" });
writeSync(1, `${process.pid}\n`);
for (;;);
