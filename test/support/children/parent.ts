/** Starts a child that spins (spin.ts) and passes on its process id. argv: `bare` or `walls`. */
import { spawn } from "node:child_process";
import { childImage } from "../confined.ts";

const { command, args } = childImage("spin");
spawn(command, [...args, process.argv[2] ?? "walls"], { stdio: ["ignore", "inherit", "inherit", "pipe"], env: {} });
setInterval(() => undefined, 60_000);
