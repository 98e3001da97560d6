import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { type BodyRow, rowsOf, vkeyOf } from "../support/claims-log.ts";
import { TinyDisk } from "../support/claims-tiny-disk.ts";
import { ask, auditOf } from "../support/claims-world.ts";
import { newHome, run, TestDaemon } from "../support/daemon.ts";
import { type Verifiers, verifiersOf } from "../support/verifiers.ts";

/** A daemon has talked; its owner hands the record over, with the daemon running and without it. What is handed over is checked by programs that are not ours. */

const folder = mkdtempSync(join(tmpdir(), "wirken-handed-over-"));
const home = newHome();
let daemon: TestDaemon;
let disk: TinyDisk;
let verifiers: Verifiers | null = null;
const Answer = z.object({ export: z.string(), rows: z.int(), size: z.int(), digest: z.string(), vkey: z.string() });

beforeAll(async () => {
  disk = await TinyDisk.make(8);
  daemon = await TestDaemon.start({ home, inside: disk.inside });
  await ask(daemon, "list my files");
});
afterAll(async () => {
  verifiers?.[Symbol.dispose]();
  await daemon.end();
  await disk[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
  rmSync(home, { recursive: true, force: true });
});

/** Exports as the log has them: each announced, and what it ended in. */
const exportRows = (): BodyRow[] => {
  const rows = rowsOf(auditOf(daemon));
  const announced = new Set(rows.filter(({ $kind }) => $kind === "log.exporting").map(({ $seq }) => $seq));
  return rows.filter(({ $seq, $cause }) => announced.has($seq) || announced.has($cause ?? -1));
};

test("a running daemon hands over its whole log, with content, and both ends of it are recorded", async () => {
  const out = join(folder, "whole");
  const answer = Answer.parse(await daemon.json("audit", "export", "--out", out, "--content", "full"));
  expect(answer.rows).toBe(answer.size);
  verifiers = verifiersOf(out);
  expect(verifiers.go(out, answer.vkey).text).toContain(`GOOD: ${answer.size} of ${answer.size} rows`);
  expect(verifiers.shell(out, answer.vkey, String(answer.size - 1)).accepts).toBe(true);
  expect(verifiers.sigstore(out, answer.vkey).accepts).toBe(true);
  expect(readFileSync(join(out, "content.jsonl"), "utf8")).toContain("list my files");
  const manifest = createHash("sha256")
    .update(readFileSync(join(out, "MANIFEST.sha256")))
    .digest("hex");
  expect(answer.digest).toBe(manifest);
  expect(exportRows()).toEqual([
    expect.objectContaining({
      $kind: "log.exporting",
      export: answer.export,
      from: 0,
      to: answer.size,
      disclosure: "full",
    }),
    expect.objectContaining({ $kind: "log.exported", rows: answer.rows, digest: manifest }),
  ]);
});

test("what was handed over is verified by another process, against the key and a kept checkpoint; changed, it is not", async () => {
  const kept = join(folder, "kept.note");
  writeFileSync(kept, (await daemon.wirken(["audit", "checkpoint"])).stdout);
  const out = join(folder, "later");
  expect((await daemon.wirken(["audit", "export", "--out", out])).status).toBe(0);
  const environment = { PATH: process.env["PATH"] ?? "", HOME: folder, WIRKEN_HOME: join(folder, "none") };
  const verify = async (...words: readonly string[]) => await run(["audit", "verify", out, ...words], { environment });
  const unchecked = await verify();
  expect([unchecked.status, unchecked.stdout]).toEqual([3, expect.stringContaining("whose they are was not checked")]);
  const good = await verify("--key", vkeyOf(auditOf(daemon)), "--deep");
  expect([good.status, good.stdout]).toEqual([0, expect.stringContaining("are whole and in order")]);
  expect((await verify("--pin", kept)).status).toBe(0);
  expect((await verify("--key", "nonsense")).status).toBe(2);
  const lines = readFileSync(join(out, "entries.jsonl"), "utf8");
  writeFileSync(join(out, "entries.jsonl"), lines.replace('"text":"', '"text":"0'));
  const broken = await verify("--pin", kept);
  expect([broken.status, broken.stdout]).toEqual([1, expect.stringMatching(/^audit: row \d+ was changed/m)]);
});

test("the log in use is checked deep with what only its daemon has: the form of every row, every page, and the content that rows committed to", async () => {
  const deep = await daemon.wirken(["audit", "verify", "--deep"]);
  // Its vault is provisional here: whose the log is, it does not say.
  expect([deep.status, deep.stderr]).toEqual([3, ""]);
  expect(deep.stdout).toContain("deep: every row is in the one form that its values have");
  expect(deep.stdout).toMatch(/^content: [1-9]\d* parts compared with what its row committed to$/m);
});

test("nothing is written where it may not be, and nothing half-written stays where there is no room", async () => {
  const before = exportRows().length;
  const inside = await daemon.wirken(["audit", "export", "--out", join(daemon.data, "out")]);
  expect([inside.status, inside.stderr]).toEqual([2, expect.stringContaining("lies inside")]);
  expect(exportRows()).toHaveLength(before);
  const closed = mkdtempSync(join(folder, "closed-"));
  chmodSync(closed, 0o500);
  // Where no small disk can be made, a folder that cannot be written stands in for it.
  const at = disk.kind === "limit" ? { path: closed, view: closed } : disk;
  const full = await daemon.wirken(["audit", "export", "--out", join(at.path, "out")]);
  expect(full.stderr).toMatch(/the disk has less than 128 MB left|cannot be written/);
  expect(full.status).toBe(3);
  expect(readdirSync(at.view)).toEqual([]);
  expect(
    exportRows()
      .slice(before)
      .map(({ $kind }) => $kind),
  ).toEqual(["log.exporting", "action.failed"]);
});

test("without the daemon a session is handed over, and nothing of another", async () => {
  const session = rowsOf(auditOf(daemon)).find(({ $kind }) => $kind === "session.opened");
  await daemon.end();
  const out = join(folder, "session");
  const words = [
    "audit",
    "export",
    "--out",
    out,
    "--session",
    String(session?.["session"]),
    "--content",
    "none",
    "--json",
  ];
  const ran = await daemon.wirken(words);
  const answer = Answer.parse(JSON.parse(ran.stdout));
  expect(answer.rows).toBeGreaterThan(3);
  expect(answer.rows).toBeLessThan(answer.size);
  expect(verifiers?.go(out, answer.vkey).text).toContain(`GOOD: ${answer.rows} of ${answer.size} rows`);
  expect(existsSync(join(out, "content.jsonl"))).toBe(false);
  expect(readdirSync(folder).filter((name) => name.includes("unfinished"))).toEqual([]);
});
