import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { bulkLog } from "../support/audit-fixture.ts";
import { cleanEnvironment, newHome, WIRKEN } from "../support/daemon.ts";

/** The executable itself verifies a log that is large enough to be divided, in two threads where there are two processors; on one processor it is one. */

const ROWS = 120_000;
const TAMPERED = 80_000;
const SAMPLE_MS = 2;

const folder = mkdtempSync(join(tmpdir(), "wirken-large-"));
const home = newHome();
interface Large {
  readonly path: string;
  readonly vkey: string;
}
let sound: Large;
let changed: Large;

function inAnotherChannel(body: string): string {
  return body.replace('"channel":"slack"', '"channel":"slacc"');
}

beforeAll(() => {
  sound = bulkLog(mkdtempSync(join(folder, "sound-")), ROWS);
  changed = bulkLog(mkdtempSync(join(folder, "changed-")), ROWS, { seq: TAMPERED, body: inAnotherChannel });
}, 120_000);
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(home, { recursive: true, force: true });
});

const Said = z.object({
  state: z.string(),
  verdict: z.looseObject({
    size: z.int(),
    findings: z.array(z.object({ code: z.string(), seq: z.nullable(z.int()), sentence: z.string() })),
  }),
});

interface Ran {
  readonly status: number | null;
  readonly said: z.infer<typeof Said>;
  /** Threads of the process at one time, at most: as the kernel lists them. */
  readonly threads: number;
}

/** @param processors those that the process may use. */
async function verify({ path, vkey }: Large, processors: "all" | "one"): Promise<Ran> {
  const command = [WIRKEN, "audit", "verify", path, "--key", vkey, "--json"];
  const [program = "", ...args] = processors === "one" ? ["taskset", "-c", "0", ...command] : command;
  const child = spawn(program, args, { env: cleanEnvironment(home), stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => (text += piece));
  const end = new Promise<number | null>((resolve) => {
    child.once("close", (code) => resolve(code));
  });
  let threads = 0;
  const sampling = setInterval(() => {
    threads = Math.max(threads, threadsOf(child.pid));
  }, SAMPLE_MS);
  const status = await end;
  clearInterval(sampling);
  return { status, said: Said.parse(JSON.parse(text)), threads };
}

function threadsOf(pid: number | undefined): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

test(`a sound log of ${ROWS} rows is good, whether two threads look at it or one`, async () => {
  const [two, one] = [await verify(sound, "all"), await verify(sound, "one")];
  expect([one.status, one.said.state, one.said.verdict.size, one.said.verdict.findings]).toEqual([0, "good", ROWS, []]);
  expect(two.said).toEqual(one.said);
  expect(two.status).toBe(one.status);
  const more = availableParallelism() > 1 ? 2 : 0;
  expect(two.threads - one.threads, "threads more than on one processor").toBeGreaterThanOrEqual(more);
});

test("a row that was changed in the second span is named, whether two threads look at it or one", async () => {
  const [two, one] = [await verify(changed, "all"), await verify(changed, "one")];
  expect(one.status).toBe(1);
  expect(one.said.verdict.findings[0]).toMatchObject({ code: "row-changed", seq: TAMPERED });
  expect(two.said).toEqual(one.said);
  expect(two.status).toBe(1);
});
