import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { rowsOf } from "../support/claims-log.ts";
import { auditOf, startProtected } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";

const home = mkdtempSync(join(tmpdir(), "wirken-incident-"));
let daemon: TestDaemon;
beforeAll(async () => {
  daemon = await startProtected({ home, config: {} });
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const Credential = z.object({ scope: z.string(), state: z.string(), rotate: z.string() });
const Opened = z.object({
  ended: z.int(),
  checkpoint: z.int(),
  exported: z.object({ out: z.string(), rows: z.int() }),
  problems: z.array(z.string()),
  credentials: z.array(Credential),
});
const Shown = z.object({ open: z.nullable(z.object({ reason: z.string(), credentials: z.array(Credential) })) });

async function states(): Promise<string[]> {
  const { open } = Shown.parse(await daemon.json("incident", "show"));
  return (open?.credentials ?? []).map(({ scope, state }) => `${scope} ${state}`);
}

async function asks(): Promise<{ status: number | null; stderr: string }> {
  return await daemon.wirken(["ask", "list my files"]);
}

test("the detector detects: before it an agent works", async () => {
  for (const name of ["one", "two"])
    expect((await daemon.wirken(["vault", "add", `secret/${name}`, "--stdin"], { stdin: "a-value\n" })).status).toBe(0);
  expect((await asks()).status).toBe(0);
});

test("it halts, signs, exports, and names every credential and the command that replaces it", async () => {
  const out = join(daemon.home, "handed-over");
  const opened = Opened.parse(await daemon.json("incident", "open", "--reason", "a laptop was lost", "--out", out));
  expect(opened).toMatchObject({ problems: [], exported: { out } });
  expect(readdirSync(out)).toContain("VERIFY.md");
  expect(opened.credentials).toEqual([
    { scope: "secret/one", state: "to rotate", rotate: "wirken vault rotate secret/one" },
    { scope: "secret/two", state: "to rotate", rotate: "wirken vault rotate secret/two" },
  ]);
  const kinds = rowsOf(auditOf(daemon)).map(({ $kind }) => $kind);
  const at = kinds.indexOf("incident.opened");
  expect(kinds[at - 1]).toBe("halt.begun");
  expect(kinds.slice(at)).toEqual(expect.arrayContaining(["log.checkpointed", "log.exported"]));
});

test("nothing runs, it is not resumed by another way, and kill -9 and a restart change nothing", async () => {
  expect(await asks()).toMatchObject({ status: 4, stderr: expect.stringContaining("halted by the owner") });
  expect((await daemon.wirken(["resume"])).status).toBe(4);
  process.kill(daemon.pid, "SIGKILL");
  await daemon[Symbol.asyncDispose]();
  daemon = await startProtected({ home });
  expect(await asks()).toMatchObject({ status: 4 });
  expect((await daemon.wirken(["status"])).stdout).toContain("an incident is open since");
  expect(await states()).toEqual(["secret/one to rotate", "secret/two to rotate"]);
});

test("it is not closed while one is left, and is once each is another or may stay for a reason", async () => {
  const rotated = await daemon.wirken(["vault", "rotate", "secret/one", "--stdin"], { stdin: "another-value\n" });
  expect(rotated.status, rotated.stderr).toBe(0);
  expect(await states()).toEqual(["secret/one rotated", "secret/two to rotate"]);
  const refused = await daemon.wirken(["incident", "close"]);
  expect(refused).toMatchObject({ status: 4, stderr: expect.stringContaining("secret/two (to rotate)") });
  expect((await daemon.wirken(["incident", "close", "--waive", "secret/two"])).status).toBe(2);
  expect((await daemon.wirken(["incident", "close", "--waive", "secret/three=x"])).status).toBe(2);
  expect(await asks()).toMatchObject({ status: 4 });
  const closed = await daemon.wirken(["incident", "close", "--waive", "secret/two=it opens nothing any more"]);
  expect(closed, closed.stderr).toMatchObject({ status: 0, stdout: expect.stringContaining("agents work again") });
  expect((await asks()).status).toBe(0);
  const rows = rowsOf(auditOf(daemon));
  expect(rows.find(({ $kind }) => $kind === "incident.waived")).toMatchObject({ scope: "secret/two" });
  expect(rows.find(({ $kind }) => $kind === "incident.closed")).toMatchObject({ rotated: 1, waived: 1 });
  expect(Shown.parse(await daemon.json("incident", "show"))).toEqual({ open: null });
  // What is closed leaves nothing behind for the next one.
  expect((await daemon.wirken(["incident", "close"])).status).toBe(2);
});
