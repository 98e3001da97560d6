import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Connection } from "../../src/cli/connection.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { ask, needLine, startProtected } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

let daemon: TestDaemon;
let model: ScriptedModel;
let line: Connection;
let folder: string;

const SKILL = `---
name: harbour
description: Says when ships come in. Use it for the harbour.
metadata:
  version: "1.0.0"
  wirken:
    tools: [exec]
    read: ["."]
---

The password of the day is SHIPSHAPE-4711. Run scripts/ships.sh.
`;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "wirken-skill-test-"));
  mkdirSync(join(folder, "harbour/scripts"), { recursive: true });
  writeFileSync(join(folder, "harbour/SKILL.md"), SKILL);
  writeFileSync(join(folder, "harbour/scripts/ships.sh"), "#!/bin/sh\necho the ferry comes at noon\n", { mode: 0o755 });
  model = await ScriptedModel.start();
  daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
    },
  });
  line = await needLine(daemon);
}, 60_000);
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function rows(kind: string): Promise<RowView[]> {
  const { rows: found } = await line.call({ call: "audit.rows", filter: { kind, limit: 500 } });
  return found.toSorted((a, b) => a.seq - b.seq);
}
const exec = (more: object) => ({
  name: "exec",
  arguments: { argv: ["skill-harbour/scripts/ships.sh"], skill: "harbour", ...more },
});
/** What the model was sent last. */
const lastAsked = (): string => JSON.stringify(model.server.getRequests().at(-1)?.body ?? null);

test("a skill is nothing to an agent before it is signed, trusted and accepted; then at once, within its limits and on the record", async () => {
  const path = join(folder, "harbour");
  const key = join(folder, "key");
  expect((await daemon.wirken(["skills", "install", path])).stderr).toContain("it is not signed");
  const signed = await daemon.wirken(["skills", "sign", path, "--key", key, "--new-key", "ada", "--json"]);
  expect(signed.status, signed.stderr).toBe(0);
  const { vkey, digest }: { vkey: string; digest: string } = JSON.parse(signed.stdout);
  expect((await daemon.wirken(["skills", "install", path, "--accept", digest])).stderr).toContain(
    "whom nobody here trusts",
  );
  expect((await daemon.wirken(["skills", "trust", vkey])).status).toBe(0);
  expect((await daemon.wirken(["skills", "install", path])).stderr).toContain("no terminal to ask on");

  // The same conversation before and after: nothing is started anew.
  model.script(
    "when does it come",
    { calls: [{ name: "skill", arguments: { name: "harbour" } }] },
    { text: "I do not know." },
  );
  await ask(daemon, "when does it come");
  expect(lastAsked()).toContain("there is no skill");
  const installed = await daemon.wirken(["skills", "install", path, "--accept", digest.slice(0, 16)]);
  expect(installed.status, installed.stderr).toBe(0);

  model.script(
    "and now",
    { calls: [{ name: "skill", arguments: { name: "harbour" } }] },
    { calls: [exec({}), { name: "list_files", arguments: {} }, { name: "exec", arguments: { argv: ["id"] } }] },
    { text: "At noon." },
  );
  expect((await ask(daemon, "and now")).text).toContain("At noon.");
  expect(model.heard).toContain("- harbour: Says when ships come in.");
  const sent = lastAsked();
  expect(sent).toContain("SHIPSHAPE-4711");
  expect(sent).toContain("the ferry comes at noon");
  expect(sent).toContain("was not accepted for the tool list_files");
  expect(sent).toContain("was not accepted for running");
  const calls = (await rows("tool.called")).map(({ fields }) => [fields["tool"], fields["skills"]]);
  expect(calls).toEqual([
    ["skill", undefined],
    ["exec", "harbour"],
  ]);

  // With its turn it is out of the context.
  await ask(daemon, "thank you");
  expect(lastAsked()).toContain("the skill is not here any more");
  expect(lastAsked()).not.toContain("SHIPSHAPE-4711");
  // By its name it is there without the model's asking for it.
  model.script("what about tomorrow", { text: "At noon too." });
  await ask(daemon, "/harbour what about tomorrow");
  expect(lastAsked()).toContain("SHIPSHAPE-4711");
});

test("a byte more in a file of it and it is used no more, which is recorded; so with its key", async () => {
  const place = join(daemon.environment["WIRKEN_HOME"] ?? "", "skills");
  const [installed = ""] = readdirSync(place);
  appendFileSync(join(place, installed, "scripts/ships.sh"), "echo evil\n");
  model.script("once more", { calls: [{ name: "skill", arguments: { name: "harbour" } }] }, { text: "It is refused." });
  await ask(daemon, "once more");
  expect(lastAsked()).toContain("was changed after it was signed");
  expect(lastAsked()).not.toContain("SHIPSHAPE-4711");
  const verified = await daemon.wirken(["skills", "verify"]);
  expect(verified.status).toBe(1);
  expect(verified.stdout).toContain("harbour: REFUSED");
  expect((await daemon.wirken(["skills", "untrust", "ada"])).status).toBe(0);
  expect((await daemon.wirken(["skills", "verify", "harbour"])).stdout).toContain("was revoked");
  const reasons = (await rows("skill.refused")).map(({ fields }) => fields["reason"]);
  expect(reasons).toEqual(["unsigned", "untrusted", "altered", "revoked"]);
  expect((await daemon.wirken(["audit", "verify"])).status).not.toBe(1);
});
