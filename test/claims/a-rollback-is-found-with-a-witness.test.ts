import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { verifySync } from "../../audit/verify.ts";
import { AUDIT_ANSWERS } from "../../src/ipc/audit-calls.ts";
import { ask, auditOf, needLine, startProtected, until } from "../support/claims-world.ts";
import { vkeyOf } from "../support/claims-log.ts";
import { cleanEnvironment, newHome, type Ran, run, type TestDaemon, WIRKEN } from "../support/daemon.ts";

/** `wirken witness serve` as another machine would run it. */
class ServedWitness {
  readonly home = newHome();
  readonly state = join(this.home, "witness");
  readonly #port: number;
  child: ChildProcess | null = null;
  vkey = "";

  constructor(port: number) {
    this.#port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async up(): Promise<void> {
    const words = ["witness", "serve", "--state", this.state, "--listen", `127.0.0.1:${this.#port}`];
    const child = spawn(WIRKEN, words, { env: cleanEnvironment(this.home), stdio: ["ignore", "pipe", "pipe"] });
    this.child = child;
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      out += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      err += text;
    });
    await until(
      () => out.includes("\n") && err.includes("audit anchor add"),
      () => `the witness serves: ${err}`,
    );
    this.vkey = out.trim();
    const line = `wirken audit anchor add witness ${this.url} ${this.vkey}`;
    if (!err.includes(line)) throw new Error(`the line to paste is not there: ${err}`);
  }

  async kill(): Promise<void> {
    const { child } = this;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  }

  async says(...words: string[]): Promise<Ran> {
    return await run(["witness", ...words, "--state", this.state], { environment: cleanEnvironment(this.home) });
  }

  async size(): Promise<number> {
    const listed = await this.says("list", "--json");
    const { logs } = z.object({ logs: z.array(z.object({ size: z.int() })) }).parse(JSON.parse(listed.stdout));
    return logs[0]?.size ?? 0;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("no port is free");
  return address.port;
}

let witness: ServedWitness;
let daemon: TestDaemon;

beforeAll(async () => {
  witness = new ServedWitness(await freePort());
  [daemon] = await Promise.all([startProtected(), witness.up()]);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await witness.kill();
  rmSync(daemon.home, { recursive: true, force: true });
  rmSync(witness.home, { recursive: true, force: true });
});

async function anchor() {
  await using line = await needLine(daemon);
  const { anchors } = await line.call({ call: "audit.anchor.list" });
  return anchors[0];
}

test("an outside anchor takes two commands, and a kill of the witness forgets nothing that it signed", async () => {
  const vkey = vkeyOf(auditOf(daemon));
  expect((await witness.says("add-log", vkey)).stdout).toBe("added\n");
  const added = await daemon.wirken(["audit", "anchor", "add", "witness", witness.url, witness.vkey]);
  expect(added.status, added.stderr).toBe(0);
  for (let round = 0; round < 3; round++) {
    const { size } = AUDIT_ANSWERS["audit.checkpoint"].parse(await daemon.json("audit", "checkpoint"));
    await until(async () => ((await anchor())?.size ?? 0) >= size, "the witness signed");
    await witness.kill();
    expect(await witness.size(), "what was answered is on its disk").toBeGreaterThanOrEqual(size);
    await witness.up();
  }
});

test("a log that is put back whole is found with what the witness signed, and not without", async () => {
  const home = daemon.home;
  const vkey = vkeyOf(auditOf(daemon));
  await daemon.end();
  const before = `${home}.before`;
  cpSync(home, before, { recursive: true });
  try {
    daemon = await startProtected({ home });
    await ask(daemon, "list my files");
    const { size } = AUDIT_ANSWERS["audit.checkpoint"].parse(await daemon.json("audit", "checkpoint"));
    await until(async () => ((await anchor())?.size ?? 0) >= size, "the witness signed");
    await daemon.end();
    // Everything that this user can write is as it was: log, checkpoint file, vault, projection.
    cpSync(home, `${home}.after`, { recursive: true });
    rmSync(home, { recursive: true });
    cpSync(before, home, { recursive: true });
    const path = auditOf(daemon);
    const without = verifySync(path, { vkey });
    expect(without.findings, "the files alone tell nothing").toEqual([]);
    const signed = await witness.says("note", vkey.slice(0, vkey.indexOf("+")));
    const note = join(home, "witnessed.note");
    writeFileSync(note, signed.stdout);
    const found = verifySync(path, { vkey, anchors: [{ name: "w", note: readFileSync(note, "utf8") }] });
    expect(found.findings.map(({ code }) => code)).toEqual(["rolled-back"]);
    expect(
      verifySync(join(`${home}.after`, "data/audit.db"), { vkey, anchors: [{ name: "w", note: signed.stdout }] }).state,
    ).toBe("good");
    // The daemon finds it out by itself as soon as it asks the witness, and never gets a second history signed.
    daemon = await startProtected({ home });
    await daemon.wirken(["audit", "checkpoint"]);
    await until(async () => (await anchor())?.state === "conflict", "the witness contradicts it");
    const verdict = await daemon.wirken(["audit", "verify", path, "--vkey", vkey]);
    expect([verdict.status, verdict.stdout]).toEqual([1, expect.stringContaining("holds another history of this log")]);
    expect(await witness.size()).toBeGreaterThanOrEqual(size);
    expect((await daemon.wirken(["status"])).stdout).toContain("contradicts this log");
  } finally {
    for (const copy of [before, `${home}.after`]) rmSync(copy, { recursive: true, force: true });
  }
});
