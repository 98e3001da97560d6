import { execFile, spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { z } from "zod/mini";
import { type Answers, Report, type Targets } from "./probes/attempts.ts";

const root = resolve(import.meta.dirname, "../..");

export const ADDON = join(root, `node_modules/better-sqlite3/prebuilds/linux-${process.arch}.node`);

/** Runs the attempts in a process of plain Node. @param held descriptors that it inherits, from 3 on. */
export async function attackFreely(targets: Targets, held: readonly number[] = []): Promise<Report> {
  const program = join(root, "test/support/probes/free.ts");
  const child = spawn(process.execPath, [program, JSON.stringify(targets)], {
    cwd: targets.folder,
    // Where a cache is on already, none is begun elsewhere.
    env: { ...process.env, NODE_COMPILE_CACHE: undefined },
    stdio: ["ignore", "pipe", "pipe", ...held],
  });
  const text = { out: "", err: "" };
  child.stdout?.setEncoding("utf8").on("data", (piece: string) => (text.out += piece));
  child.stderr?.setEncoding("utf8").on("data", (piece: string) => (text.err += piece));
  await new Promise((done) => child.once("close", done));
  if (text.out === "") throw new Error(`the attempts ended early: ${text.err}`);
  return Report.parse(JSON.parse(text.out));
}

/** Runs the attempts to reach a network in a process of plain Node. @param port of a server on 127.0.0.1 that answers HTTP. */
export async function attackNetworkFreely(port: number): Promise<Answers> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(root, "test/support/probes/free.ts"),
    `${port}`,
  ]);
  return z.record(z.string(), z.string()).parse(JSON.parse(stdout));
}

/** What a refusal looks like: the permission model's, the seccomp filter's, egress's, a module that is not there, an empty answer. */
const REFUSED = /^(ERR_ACCESS_DENIED|EPERM|EACCES|ERR_UNKNOWN_BUILTIN_MODULE|REFUSED)$/;

/** Attempts that were not refused, with what they were told. */
export function notRefused(answers: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(answers).filter(([, answer]) => !REFUSED.test(answer));
}

/** `device:inode` of every file below a folder: what an open descriptor is known by. */
export function filesBelow(folder: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const { dev, ino } = statSync(path);
    found.set(`${dev}:${ino}`, path);
  }
  return found;
}
