/** Starts a child, passes on its process id, and stays. argv: `bare` or `walls` (children/spin.ts), or `echo` (children/talker.ts). */
import { spawn } from "node:child_process";
import { writeSync } from "node:fs";
import { childImage } from "../confined.ts";

const does = process.argv[2] ?? "walls";
const { command, args } = childImage(does === "echo" ? "talker" : "spin");
const words = does === "echo" ? ["agent", "echo"] : [does];
const child = spawn(command, [...args, ...words], { stdio: ["ignore", "inherit", "inherit", "pipe"], env: {} });
if (does === "echo") writeSync(1, `${child.pid ?? 0}\n`);
setInterval(() => undefined, 60_000);
