import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { z } from "zod/mini";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import type { Role } from "../../src/confine/role.ts";

/** The programs of test/support/children. */
const CHILDREN = {
  "lane-ends": new URL("./children/lane-ends.ts", import.meta.url),
  idle: new URL("./children/idle.ts", import.meta.url),
  landlocked: new URL("./children/landlocked.ts", import.meta.url),
  orphan: new URL("./children/orphan.ts", import.meta.url),
  parent: new URL("./children/parent.ts", import.meta.url),
  probe: new URL("./children/probe.ts", import.meta.url),
  spin: new URL("./children/spin.ts", import.meta.url),
  "system-calls": new URL("./children/system-calls.ts", import.meta.url),
  talker: new URL("./children/talker.ts", import.meta.url),
};
const Answers = z.record(z.string(), z.string());

/** How a child is held: not at all, by the operating system's walls only, or as in the product. */
export type How = "bare" | "walls" | "confined";

/** A program of test/support/children, started as the product starts its own. */
export function childImage(name: keyof typeof CHILDREN): { command: string; args: string[] } {
  return { command: process.execPath, args: [...NODE_FLAGS, fileURLToPath(CHILDREN[name])] };
}

/** Runs probes (children/probe.ts) in a child. @returns for each "done", or the code of its error. */
export async function probe(
  role: Role,
  how: How,
  probes: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const image = childImage("probe");
  const { command } = image;
  // To show that Node's SQLite would be a hole, it is left in.
  const args = image.args.filter((arg) => how !== "bare" || arg !== "--no-experimental-sqlite");
  const { stdout, stderr, status } = await run(command, [...args, role, how, JSON.stringify(probes)]);
  if (status !== 0) throw new Error(`the probe failed with ${String(status)}: ${stderr}`);
  return Answers.parse(JSON.parse(stdout));
}

/** Starts a program with a pipe as descriptor 3, and waits for its first line. Killed at the end of the block. */
export async function startChild(
  command: string,
  args: readonly string[],
): Promise<AsyncDisposable & { readonly pid: number; readonly said: string }> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit", "pipe"], env: {} });
  const exited = once(child, "exit");
  if (child.stdout === null) throw new Error(`${command} has no output`);
  const [line] = await Promise.race([once(child.stdout, "data"), exited.then(() => [""])]);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} did not start`);
  return {
    pid,
    said: String(line).trim(),
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Runs a program with a pipe as descriptor 3. */
export async function run(
  command: string,
  args: readonly string[],
): Promise<{ stdout: string; stderr: string; status: number | null }> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe", "pipe"], env: {} });
  let stdout = "";
  let stderr = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code));
  });
  return { stdout, stderr, status };
}
