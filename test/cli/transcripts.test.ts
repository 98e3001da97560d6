import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { parseTranscript, patternOf, type Step } from "./transcript.ts";

const executable = join(import.meta.dirname, "../../dist/wirken");
const folder = join(import.meta.dirname, "transcripts");
/** A daemon that is not ready by then does not become so. */
const READY_MS = 20_000;

const transcripts = readdirSync(folder).map((file) => ({
  file,
  ...parseTranscript(readFileSync(join(folder, file), "utf8")),
}));

test.for(transcripts.map(({ title, steps, files }) => [title, steps, files] as const))(
  "%s",
  async ([, steps, files]) => {
    const home = mkdtempSync(join(tmpdir(), "wirken-cli-"));
    const daemons: AsyncDisposable[] = [];
    if (files.size > 0) mkdirSync(join(home, "data"), { mode: 0o700 });
    for (const [name, held] of files) writeFileSync(join(home, "data", name), held);
    try {
      for (const step of steps) {
        if (step.background) {
          daemons.push(await startDaemon(step, home));
          continue;
        }
        const { out, err, status } = await runStep(step, home);
        const said = `$ wirken ${step.words.join(" ")}\n${out}${err}= ${String(status)}`;
        expect(out, said).toMatch(patternOf(step.stdout, join(home, "data")));
        expect(err, said).toMatch(patternOf(step.stderr, join(home, "data")));
        expect(status, said).toBe(step.status);
      }
    } finally {
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
      rmSync(home, { recursive: true, force: true });
    }
  },
);

function environmentOf(home: string): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], HOME: home, WIRKEN_HOME: join(home, "data"), TZ: "UTC" };
}

async function runStep(
  { words, input }: Step,
  home: string,
): Promise<{ out: string; err: string; status: number | null }> {
  const given = words.map((word) => word.replaceAll("{home}", join(home, "data")));
  const child = spawn(executable, given, { env: environmentOf(home), stdio: ["pipe", "pipe", "pipe"] });
  child.stdin.on("error", () => undefined); // it may not read any
  child.stdin.end(input);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { out, err, status: child.exitCode };
}

async function startDaemon({ words }: Step, home: string): Promise<AsyncDisposable> {
  const child = spawn(executable, words, { env: environmentOf(home), stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "close");
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const until = performance.now() + READY_MS;
  for (;;) {
    const asked = spawn(executable, ["status"], { env: environmentOf(home), stdio: "ignore" });
    await once(asked, "close");
    if (asked.exitCode === 0) break;
    if (child.exitCode !== null || performance.now() > until) {
      child.kill("SIGKILL");
      throw new Error(`the daemon did not become ready:\n${said}`);
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await exited;
      clearTimeout(late);
    },
  };
}
