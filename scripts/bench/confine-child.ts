/** A child that says when it is up, and the microseconds of processor that it took. argv: its role, and `walls` or `bare`. */
import { writeSync } from "node:fs";
import { confine } from "../../src/confine/confine.ts";
import { isRole } from "../../src/confine/role.ts";

const [role = "", how = ""] = process.argv.slice(2);
if (!isRole(role)) throw new TypeError(`no role is called ${role}`);
if (how === "walls") confine(role);
const { user, system } = process.cpuUsage();
writeSync(1, `${user + system}\n`);
process.exit(0);
