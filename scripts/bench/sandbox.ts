import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { type Figure, median, ms, spread, timed } from "./figure.ts";

const ROUNDS = 30;

async function bare(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn("true", { stdio: ["ignore", "pipe", "pipe"] });
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}

/** `true` in the sandbox over `true` alone, pair by pair. */
export async function sandboxFigures(): Promise<Figure[]> {
  const workspace = mkdtempSync(join(tmpdir(), "wirken-bench-"));
  const sandbox = new Sandbox({ home: join(tmpdir(), "wirken-bench-none"), executable: process.execPath });
  const signal = new AbortController().signal;
  const inside = async (): Promise<void> => {
    const end = await sandbox.run({ workspace, argv: ["true"], write: false, stdin: null, limits: LIMITS }, signal);
    if (end.status !== 0) throw new Error(`true ended with ${String(end.status)} in the sandbox`);
  };
  await inside();
  const over: number[] = [];
  for (let round = 0; round < ROUNDS; round++) over.push((await timed(inside)) - (await timed(bare)));
  rmSync(workspace, { recursive: true, force: true });
  const what = "a sandboxed command over the bare command";
  return [{ what, measured: spread(over, ms), budget: "≤ 15 ms", met: median(over) <= 15 }];
}
