import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { timestampProof } from "../../audit/anchor-proof.ts";
import { parseWitnessVkey } from "../../audit/cosignature.ts";
import { sentences, verifySync, type VerifyOptions } from "../../audit/verify.ts";
import { anId, beginLog, recordTurn, type TestLog } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";
import { TestWitnessKey } from "../support/test-witness-key.ts";

const BY = { by: anId("p"), via: "terminal" } as const;

interface Anchored extends TestLog {
  readonly witness: TestWitnessKey;
  /** Rows that the newest cosignature covers. */
  size: number;
}

/** A log with a witness that answered once, and rows after that. */
async function anchored(rows = 3): Promise<Anchored> {
  const begun = await beginLog(ownFolder());
  const witness = new TestWitnessKey();
  await recordTurn(begun);
  const { size, note } = await begun.log.checkpoint("demand");
  await begun.log.append(
    { kind: "anchor.added", anchor: "w", type: "witness", vkey: witness.vkey, ...BY },
    { cause: null },
  );
  begun.log.anchors.store("w", size, Buffer.from(witness.cosign(note, seconds(begun))));
  await begun.log.append({ kind: "anchor.reached", anchor: "w", size }, { cause: null });
  for (let turn = 0; turn < rows; turn++) await recordTurn(begun);
  return { ...begun, witness, size };
}

function seconds({ clock }: TestLog): number {
  return Math.floor(clock.now() / 1000);
}

function verdictOf(given: TestLog, options: VerifyOptions = {}) {
  return verifySync(given.path, { vkey: given.log.vkey, now: given.clock.now(), ...options });
}

function codes(given: TestLog, options: VerifyOptions = {}): [string, number | null][] {
  return verdictOf(given, options).findings.map(({ code, seq }) => [code, seq]);
}

function codesOf(given: TestLog): string[] {
  return codes(given)
    .map(([code]) => code)
    .toSorted((a, b) => (a < b ? -1 : 1));
}

function edit(given: TestLog, sql: string, ...values: (string | number | Uint8Array)[]): void {
  const database = new Database(given.path);
  database.prepare(sql).run(...values);
  database.close();
}

test("a log with a good cosignature is complete up to it, by somebody whom its writer does not reach", async () => {
  const log = await anchored();
  await log.log.close();
  const verdict = verdictOf(log);
  expect(verdict).toMatchObject({
    state: "good",
    selfAttested: false,
    completeness: { size: log.size, by: "outside" },
    warnings: [],
  });
  expect(sentences(verdict).find((line) => line.startsWith("outside anchor w"))).toContain(log.witness.vkey);
});

test.for([
  ["deleted", "DELETE FROM anchor", ["anchor-missing"]],
  ["of another size", "UPDATE anchor SET size = size + 1", ["anchor-forged", "anchor-missing"]],
  ["of another name", "UPDATE anchor SET name = 'x'", ["anchor-foreign", "anchor-missing"]],
  ["of no size", "UPDATE anchor SET size = -1", ["anchor-forged", "anchor-missing"]],
  ["nothing", "UPDATE anchor SET proof = x''", ["anchor-forged", "anchor-missing"]],
  ["cut", "UPDATE anchor SET proof = substr(proof, 1, length(proof) - 3)", ["anchor-forged", "anchor-missing"]],
  [
    "a timestamp",
    "UPDATE anchor SET proof = CAST('wirken/timestamp/v1 20261123223100Z' || char(10) || 'x' AS BLOB)",
    ["anchor-forged", "anchor-missing"],
  ],
] as const)("a stored cosignature that is %s is found", async ([, sql, expected]) => {
  const log = await anchored();
  await log.log.close();
  expect(verdictOf(log).findings).toEqual([]);
  edit(log, sql);
  expect(codesOf(log)).toEqual(expected);
});

test("every changed byte of a cosignature is found", async () => {
  const log = await anchored(0);
  await log.log.close();
  const [stored] = reading(log, (database) => database.prepare("SELECT proof FROM anchor").pluck().all());
  const proof = Buffer.from(String(stored));
  const missed: number[] = [];
  for (let at = 0; at < proof.length; at++) {
    const changed = Buffer.from(proof);
    changed[at] = (changed[at] ?? 0) ^ 1;
    edit(log, "UPDATE anchor SET proof = ?", changed);
    if (verdictOf(log).state !== "broken") missed.push(at);
  }
  expect(missed).toEqual([]);
});

function reading(given: TestLog, read: (database: Database.Database) => unknown[]): unknown[] {
  const database = new Database(given.path, { readonly: true });
  try {
    return read(database).map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString() : value));
  } finally {
    database.close();
  }
}

test.for([
  [-301, ["anchor-missing", "anchor-time"]],
  [-290, []],
  [3600, []],
] as const)("a cosignature %i s after the last row that it covers: %j", async ([offset, expected]) => {
  const log = await beginLog(ownFolder());
  const witness = new TestWitnessKey();
  const { size, note } = await log.log.checkpoint("demand");
  await log.log.append(
    { kind: "anchor.added", anchor: "w", type: "witness", vkey: witness.vkey, ...BY },
    { cause: null },
  );
  log.log.anchors.store("w", size, Buffer.from(witness.cosign(note, seconds(log) + offset)));
  await log.log.close();
  expect(codesOf(log)).toEqual(expected);
});

test("an anchor that was promised and never answered is missing, until it is removed", async () => {
  const log = await beginLog(ownFolder());
  const { vkey } = new TestWitnessKey();
  const { seq } = await log.log.append(
    { kind: "anchor.added", anchor: "w", type: "witness", vkey, ...BY },
    { cause: null },
  );
  await log.log.checkpoint("demand");
  expect(codes(log, { live: true })).toEqual([["anchor-missing", seq]]);
  await log.log.append({ kind: "anchor.removed", anchor: "w", ...BY }, { cause: seq });
  await log.log.close();
  expect(codes(log)).toEqual([]);
});

test("an anchor that answered that it holds another history is a finding, until it works again", async () => {
  const log = await anchored();
  const { seq } = await log.log.append(
    { kind: "anchor.failed", anchor: "w", reason: "conflict" },
    { cause: null, content: { error: "it knows 99 rows" } },
  );
  expect(codes(log, { live: true })).toEqual([["anchor-conflict", seq]]);
  await log.log.append({ kind: "anchor.reached", anchor: "w", size: log.size }, { cause: null });
  expect(codes(log, { live: true })).toEqual([]);
  await log.log.close();
});

test("another witness's cosignature under the same name is none", async () => {
  const log = await anchored();
  const { size, note } = await log.log.checkpoint("demand");
  log.log.anchors.store("w", size, Buffer.from(new TestWitnessKey("witness.test/w1").cosign(note, seconds(log))));
  await log.log.close();
  expect(codes(log)).toEqual([["anchor-forged", size - 1]]);
});

test("a file anchor's note is compared where it can be read, and named where it cannot", async () => {
  const log = await anchored();
  const { seq } = await log.log.append(
    { kind: "anchor.added", anchor: "usb", type: "file", vkey: null, ...BY },
    { cause: null, content: { place: "/mnt/usb/wirken" } },
  );
  const { size, note } = await log.log.checkpoint("demand");
  await log.log.close();
  expect(verdictOf(log).warnings.map(({ code }) => code)).toEqual(["anchor-file"]);
  const found = verdictOf(log, { disks: [{ name: "usb", state: "found", note }] });
  expect([found.state, found.warnings, found.anchors.find(({ by }) => by === "disk")]).toEqual([
    "good",
    [],
    expect.objectContaining({ size, good: true, name: "usb" }),
  ]);
  expect(codes(log, { disks: [{ name: "usb", state: "absent" }] })).toEqual([["anchor-missing", seq]]);
  expect(verdictOf(log, { disks: [{ name: "usb", state: "unreachable" }] }).state).toBe("good");
});

test("a promised pin that is not there is missing", async () => {
  const log = await beginLog(ownFolder(), { protector: "none" });
  const { seq } = await log.log.append(
    { kind: "anchor.added", anchor: "k", type: "keychain", vkey: null, ...BY },
    { cause: null },
  );
  await log.log.close();
  expect(codes(log, { pin: { state: "absent" } })).toEqual([["anchor-missing", seq]]);
  expect(codes(log, { pin: { state: "unreachable" } })).toEqual([]);
});

test("a timestamp of another note, or with another time than its bytes have, is found", async () => {
  const log = await beginLog(ownFolder());
  const { size } = await log.log.checkpoint("demand");
  await log.log.append({ kind: "anchor.added", anchor: "t", type: "timestamp", vkey: null, ...BY }, { cause: null });
  log.log.anchors.store("t", size, timestampProof("20261123223100Z", Buffer.from("nothing of the kind")));
  await log.log.close();
  expect(codesOf(log)).toEqual(["anchor-forged", "anchor-missing"]);
});

test("the key of a witness is no key of a log, and the other way round", () => {
  const { vkey } = new TestWitnessKey();
  expect(parseWitnessVkey(vkey).name).toBe("witness.test/w1");
  expect(() => parseWitnessVkey("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")).toThrow(
    "not the public key of a witness",
  );
});
