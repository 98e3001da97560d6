import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tarGzOf } from "../support/archives.ts";
import { certificateFor } from "../support/certificate.ts";
import { serving } from "../support/serving.ts";
import { aKey, greetFiles, signed } from "../skills/world.ts";
import { signIndex } from "../../skills/skill-index.ts";
import { verifySkill } from "../../skills/verify.ts";
import type { Connection } from "../../src/cli/connection.ts";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { ask, needLine, startProtected } from "../support/claims-world.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { ScriptedModel } from "../support/scripted-model.ts";

let daemon: TestDaemon;
let model: ScriptedModel;
let line: Connection;
let folder: string;
/** A site with skills and lists of them: what stands at a path, or where it leads. */
let site: Awaited<ReturnType<typeof serving>>;
const files = new Map<string, Uint8Array | string>();
const asked: string[] = [];
/** Who signs lists of skills, and who the skills on them. */
const keeper = aKey("keeper");
const acme = aKey("acme");

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
  const certificate = certificateFor("localhost");
  writeFileSync(join(folder, "ca.pem"), certificate.cert);
  site = await serving(
    createServer(certificate, ({ url = "" }, response) => {
      asked.push(url);
      const found = files.get(url);
      if (typeof found === "string") response.writeHead(302, { location: found }).end();
      else response.writeHead(found === undefined ? 404 : 200).end(found);
    }),
  );
  model = await ScriptedModel.start();
  daemon = await startProtected({
    config: {
      agents: { default: { model: "scripted/test-model" } },
      providers: { scripted: { baseUrl: model.baseUrl } },
      network: { ca: join(folder, "ca.pem"), local: ["localhost"] },
      skills: { index: { url: `https://localhost:${site.port}/list`, key: keeper.trust.vkey } },
    },
  });
  line = await needLine(daemon);
}, 60_000);
afterAll(async () => {
  await line?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
  await model?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
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
  const made = await daemon.wirken(["skills", "sign", path, "--key", key, "--new-key", "ada", "--json"]);
  expect(made.status, made.stderr).toBe(0);
  const { vkey, digest }: { vkey: string; digest: string } = JSON.parse(made.stdout);
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

const DAY = 86_400_000;

/** Puts an archive of a skill at its address. @returns its digest. */
function published(version: string, path = `/greet-${version}.tar.gz`): string {
  const all = signed(greetFiles(), acme, { version });
  const entries = [...all].map(([name, { bytes, executable }]) => ({
    name: `greet/${name}`,
    bytes,
    mode: executable ? 0o755 : 0o644,
  }));
  files.set(path, tarGzOf(entries));
  return verifySkill(all, [acme.trust], 0).digest;
}

/** Puts a list with that version at the address that config.json names. */
function listed(number: number, version: string, more: { until?: number; digest?: string } = {}): void {
  const { until = Date.now() + DAY, digest = published(version) } = more;
  const url = `https://localhost:${site.port}/greet-${version}.tar.gz`;
  const entry = { name: "greet", version, description: "Greets somebody.", digest, key: acme.trust.vkey, url };
  files.set("/list", Buffer.from(signIndex({ number, until, skills: [entry] }, keeper.name, keeper.secret)));
}

test("a skill by its address comes through a process that reaches that host alone; by its name as a list fixes it, and neither an older list nor a frozen one counts", async () => {
  const install = async (from: string, digest: string): Promise<string> => {
    const { status, stderr } = await daemon.wirken(["skills", "install", from, "--accept", digest]);
    return status === 0 ? "installed" : stderr;
  };
  const at = (path: string): string => `https://localhost:${site.port}${path}`;
  const digest = published("1.0.0");
  expect(await install(at("/greet-1.0.0.tar.gz"), digest)).toContain("whom nobody here trusts");
  expect((await daemon.wirken(["skills", "trust", acme.trust.vkey, "--for", "greet"])).status).toBe(0);
  // Led on by the site itself, but to no other protocol and no address.
  files.set("/latest.tar.gz", "/greet-1.0.0.tar.gz");
  files.set("/plain.tar.gz", `http://localhost:${site.port}/greet-1.0.0.tar.gz`);
  files.set("/elsewhere.tar.gz", "https://127.0.0.1/greet-1.0.0.tar.gz");
  expect(await install(at("/plain.tar.gz"), digest)).toContain("not plain https");
  expect(await install(at("/elsewhere.tar.gz"), digest)).not.toBe("installed");
  expect(await install(at("/nothing.tar.gz"), digest)).toContain("gave no file");
  asked.length = 0;
  expect(await install(at("/latest.tar.gz"), digest)).toBe("installed");
  expect(asked).toEqual(["/latest.tar.gz", "/greet-1.0.0.tar.gz"]);
  const reached = (await rows("egress.reached")).filter(({ fields }) => fields["role"] === "fetch");
  expect(reached.map(({ fields }) => fields["port"])).toContain(site.port);
  expect((await line.call({ call: "status" })).processes.filter(({ role }) => role === "fetch")).toEqual([]);

  listed(7, "2.0.0");
  const newer = published("2.0.0");
  expect((await daemon.wirken(["skills", "search", "greets"])).stdout).toContain("greet");
  expect(await install("greet", newer)).toBe("installed");
  const update = async (accept: string): Promise<string> => {
    const { status, stderr } = await daemon.wirken(["skills", "update", "greet", "--accept", accept]);
    return status === 0 ? "updated" : stderr;
  };
  listed(6, "1.0.0");
  expect(await update(digest)).toContain("number 7 was seen already");
  listed(8, "1.0.0");
  expect(await update(digest)).toContain("2.0.0 is in use");
  listed(8, "2.1.0", { until: Date.now() - 1000 });
  expect(await update(newer)).toContain("good until");
  listed(8, "2.1.0", { digest: newer });
  expect(await update(newer)).toContain("not the skill that the list names");
  listed(9, "2.1.0");
  expect(await update(published("2.1.0"))).toBe("updated");
  expect((await daemon.wirken(["skills", "update", "greet"])).stdout).toContain(
    "greet 2.1.0 is what is there, and in use",
  );
  expect((await daemon.wirken(["skills", "show", "greet"])).stdout).toContain("greet 2.1.0 (installed, active)");
});
