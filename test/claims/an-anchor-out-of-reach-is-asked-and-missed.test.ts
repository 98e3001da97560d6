import { readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { readProof } from "../../audit/anchor-proof.ts";
import { AUDIT_ANSWERS } from "../../src/ipc/audit-calls.ts";
import { OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { ask, auditOf, needLine, startProtected, until, verifies } from "../support/claims-world.ts";
import { vkeyOf } from "../support/claims-log.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { ownFolder } from "../support/folder.ts";
import { EXTENSIONS, TestCertificates } from "../support/test-certificates.ts";
import { StrictWitness } from "../support/strict-witness.ts";
import { TimestampAuthority } from "../support/timestamp-authority.ts";

/** One daemon, and anchors as other people run them: the tests go on from each other. */
let daemon: TestDaemon;
let witness: StrictWitness;
let authority: TimestampAuthority;

beforeAll(async () => {
  [daemon, witness, authority] = await Promise.all([
    startProtected(),
    StrictWitness.start(),
    TimestampAuthority.start(),
  ]);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await witness[Symbol.asyncDispose]();
  await authority[Symbol.asyncDispose]();
});

const Status = z.object({ running: z.literal(true), notes: z.array(z.string()) });

async function anchor(name: string) {
  await using line = await needLine(daemon);
  const { anchors } = await line.call({ call: "audit.anchor.list" });
  return anchors.find((one) => one.name === name);
}

async function rows(kind: string): Promise<unknown[]> {
  const found = OPERATOR_ANSWERS["audit.rows"].shape.rows.parse(
    (await daemon.wirken(["audit", "log", "--kind", kind, "--json"])).stdout
      .split("\n")
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line)),
  );
  return found.map(({ fields }) => fields);
}

function proofsOf(name: string): { note: string; proof: Uint8Array }[] {
  const database = new Database(auditOf(daemon), { readonly: true });
  try {
    return z
      .array(z.object({ note: z.string(), proof: z.instanceof(Uint8Array) }))
      .parse(
        database
          .prepare("SELECT note, proof FROM anchor JOIN checkpoint USING (size) WHERE name = ? ORDER BY id")
          .all(name),
      );
  } finally {
    database.close();
  }
}

test("a witness that does not answer, or does not know the log, is not added", async () => {
  const nowhere = await daemon.wirken(["audit", "anchor", "add", "witness", "http://127.0.0.1:1/w", witness.key.vkey]);
  expect([nowhere.status, nowhere.stderr]).toEqual([3, expect.stringContaining("cannot be reached")]);
  const unknown = await daemon.wirken(["audit", "anchor", "add", "witness", witness.url, witness.key.vkey]);
  expect([unknown.status, unknown.stderr]).toEqual([
    3,
    expect.stringContaining("wirken witness add-log wirken.local/"),
  ]);
  const other = await daemon.wirken(["audit", "anchor", "add", "witness", witness.url, vkeyOf(auditOf(daemon))]);
  expect([other.status, other.stderr]).toEqual([2, expect.stringContaining("not the public key of a witness")]);
  expect(await rows("anchor.")).toEqual([]);
  await verifies(daemon);
});

test("a witness that knows the log is added, and what it signed is checked by verify", async () => {
  witness.addLog(vkeyOf(auditOf(daemon)));
  const added = await daemon.wirken(["audit", "anchor", "add", "witness", witness.url, witness.key.vkey, "--json"]);
  expect(added.stderr).toBe("");
  expect(AUDIT_ANSWERS["audit.anchor.add"].parse(JSON.parse(added.stdout)).anchor).toMatchObject({
    name: "witness",
    state: "good",
    size: witness.size(vkeyOf(auditOf(daemon))),
  });
  await verifies(daemon);
  const said = await daemon.wirken(["audit", "verify"]);
  expect(said.stdout).toContain("outside anchor witness: agrees up to row");
  expect(said.stdout).not.toContain("self-attested");
});

test("while a witness is down everything goes on, status says so, and it is caught up with when it is back", async () => {
  await witness.down();
  await daemon.wirken(["audit", "checkpoint"]);
  await until(async () => (await anchor("witness"))?.state === "unreachable", "the witness is missed");
  expect((await ask(daemon, "list my files")).end).toBe("done");
  const { notes } = Status.parse(await daemon.json("status"));
  expect(notes.join("\n")).toContain("anchor witness does not answer");
  await verifies(daemon);
  await daemon.wirken(["audit", "checkpoint"]);
  await witness.up();
  await until(async () => (await anchor("witness"))?.state === "good", "the witness is back");
  const { size } = AUDIT_ANSWERS["audit.checkpoint"].parse(await daemon.json("audit", "checkpoint"));
  await until(async () => ((await anchor("witness"))?.size ?? 0) >= size, "it has the newest checkpoint");
  expect(await rows("anchor.failed"), "each change of state once, not each try").toEqual([
    { anchor: "witness", reason: "unreachable" },
  ]);
  expect(await rows("anchor.reached")).toHaveLength(2);
  expect(witness.answered.filter((status) => ![200, 404].includes(status))).toEqual([]);
  await verifies(daemon);
});

test("an answer that is signed by somebody else is not stored", async () => {
  const before = proofsOf("witness").length;
  const { key } = await StrictWitness.start();
  witness.instead = (body) => [200, key.cosign(body.slice(body.indexOf("\n\n") + 2))];
  await daemon.wirken(["audit", "checkpoint"]);
  await until(async () => (await anchor("witness"))?.state === "bad-answer", "the answer is refused");
  expect(proofsOf("witness")).toHaveLength(before);
  witness.instead = null;
  await daemon.wirken(["audit", "checkpoint"]);
  await until(async () => (await anchor("witness"))?.state === "good", "the witness is itself again");
});

test("a timestamp is stored as openssl accepts it", async () => {
  const added = await daemon.wirken(["audit", "anchor", "add", "timestamp", authority.url]);
  expect(added.status, added.stderr).toBe(0);
  expect(added.stderr).toContain("its signatures are not checked");
  const [stored] = proofsOf("timestamp");
  const proof = stored === undefined ? null : readProof(stored.proof);
  if (stored === undefined || proof?.type !== "timestamp") throw new Error("no timestamp is stored");
  expect(await authority.verify(proof.response, stored.note)).toContain("Verification: OK");
  await verifies(daemon);
  expect((await daemon.wirken(["audit", "verify"])).stdout).toContain("present, not checked");
  const given = await daemon.wirken(["audit", "verify", "--ca", join(authority.folder, "ca.pem")]);
  expect(given.stdout).toContain("signed by an authority of the certificate that was given");
});

test("an authority that a certificate vouches for is checked at once, and by verify", async () => {
  const folder = ownFolder();
  const stranger = new TestCertificates(folder).issue("stranger", { extensions: EXTENSIONS.root });
  const add = async (ca: string) =>
    await daemon.wirken(["audit", "anchor", "add", "timestamp", authority.url, "--name", "stamps", "--ca", ca]);
  expect((await daemon.wirken(["audit", "anchor", "remove", "timestamp"])).status).toBe(0);
  const wrong = await add(join(folder, `${stranger.name}.pem`));
  expect([wrong.status, wrong.stderr]).toEqual([3, expect.stringContaining("is not signed by an authority that")]);
  const none = await add(join(folder, `${stranger.name}.key`));
  expect([none.status, none.stderr]).toEqual([2, expect.stringContaining("there is no certificate in it")]);
  expect((await add(join(authority.folder, "ca.pem"))).stderr).toBe("");
  await verifies(daemon);
  const said = await daemon.wirken(["audit", "verify"]);
  const [pin] = (await anchor("stamps"))?.pins ?? [];
  expect(said.stdout).toContain(
    `a certificate that was read from the log: compare it with the one that the authority publishes, SHA-256 ${pin}`,
  );
  expect((await daemon.wirken(["audit", "anchor", "remove", "stamps"])).status).toBe(0);
  expect(
    (await daemon.wirken(["audit", "anchor", "add", "timestamp", authority.url, "--name", "timestamp"])).status,
  ).toBe(0);
});

test("a file elsewhere holds the newest checkpoint, and one in the data directory is refused", async () => {
  const inside = await daemon.wirken(["audit", "anchor", "add", "file", join(daemon.data, "checkpoint")]);
  expect([inside.status, inside.stderr]).toEqual([2, expect.stringContaining("lost with it")]);
  const path = join(daemon.home, "checkpoint.note");
  expect((await daemon.wirken(["audit", "anchor", "add", "file", path])).stderr).toContain("on the same disk");
  const { note, size } = AUDIT_ANSWERS["audit.checkpoint"].parse(await daemon.json("audit", "checkpoint"));
  await until(async () => ((await anchor("file"))?.size ?? 0) >= size, "the file has it");
  expect(readFileSync(path, "utf8")).toBe(note);
  expect((await daemon.wirken(["audit", "verify"])).stdout).toContain("file anchor file: agrees up to row");
});

test("after a change of the log's key a witness awaits the new one, and then goes on", async () => {
  const first = vkeyOf(auditOf(daemon));
  const rotated = await daemon.wirken(["audit", "key", "rotate"]);
  expect(rotated.stderr).toContain("anchor witness: awaiting new key");
  const vkey = rotated.stdout.trim();
  expect(vkey).not.toBe(first);
  const { epochs } = AUDIT_ANSWERS["audit.key.show"].parse(await daemon.json("audit", "key", "show"));
  expect(epochs.map((epoch) => [epoch.epoch, epoch.vkey, epoch.from === 0, epoch.to === null])).toEqual([
    [1, first, true, false],
    [2, vkey, false, true],
  ]);
  await daemon.wirken(["audit", "checkpoint"]);
  await until(async () => (await anchor("witness"))?.note?.includes(vkey) === true, "the witness refuses the new key");
  expect((await anchor("witness"))?.state).toBe("new-key");
  witness.addLog(vkey);
  await daemon.wirken(["audit", "checkpoint"]);
  await until(async () => (await anchor("witness"))?.state === "good", "the witness knows the new key");
  await verifies(daemon);
});

test("anchors go on after a restart, and one that is removed is promised no more", async () => {
  const { home } = daemon;
  await daemon.end();
  daemon = await startProtected({ home });
  await until(async () => (await anchor("witness"))?.newer === 0 || (await anchor("witness"))?.state === "good", "up");
  const { size } = AUDIT_ANSWERS["audit.checkpoint"].parse(await daemon.json("audit", "checkpoint"));
  await until(async () => ((await anchor("witness"))?.size ?? 0) >= size, "the witness has the newest checkpoint");
  expect((await daemon.wirken(["audit", "anchor", "remove", "timestamp"])).status).toBe(0);
  expect(await anchor("timestamp")).toBeUndefined();
  await verifies(daemon);
});
