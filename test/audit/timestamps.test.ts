import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { timestampProof } from "../../audit/anchor-proof.ts";
import { fingerprint } from "../../audit/authorities.ts";
import { readTimestamp } from "../../audit/timestamp.ts";
import { sentences, type Verdict, verifySync, type VerifyOptions } from "../../audit/verify.ts";
import { anId, beginLog, recordTurn, type TestLog } from "../support/audit-fixture.ts";
import { HandClock } from "../support/audit-ports.ts";
import { exported, rewriteManifest } from "../support/exported.ts";
import { ownFolder } from "../support/folder.ts";
import { EXTENSIONS, type TestCertificate, TestCertificates, timestampInfo } from "../support/test-certificates.ts";

/** What a stored timestamp counts for: with a certificate that the log pins, with one that its reader gives, and with none. */

const folder = mkdtempSync(join(tmpdir(), "wirken-timestamps-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const openssl = new TestCertificates(folder);
const BY = { by: anId("p"), via: "terminal" } as const;
let root: TestCertificate;
let other: TestCertificate;
let authority: TestCertificate;

beforeAll(() => {
  root = openssl.issue("root", { extensions: EXTENSIONS.root });
  other = openssl.issue("other", { extensions: EXTENSIONS.root });
  authority = openssl.issue("authority", { extensions: [...EXTENSIONS.authority, EXTENSIONS.stamping], under: root });
});

interface Stamped extends TestLog {
  /** Rows that the timestamp covers. */
  readonly size: number;
}

function proofOf(response: Buffer): Uint8Array {
  const read = readTimestamp(response);
  if ("refused" in read) throw new Error("openssl refused");
  return timestampProof(read.time, response);
}

/** A log with a timestamp, and rows after that. @param response for the digest of its checkpoint; openssl's own where left out. */
async function stamped(
  pins: readonly TestCertificate[],
  response = (digest: Uint8Array): Buffer => openssl.stamp(digest, authority, "sha256"),
): Promise<Stamped> {
  const begun = await beginLog(ownFolder(), { clock: new HandClock(new Date().toISOString()) });
  const { log } = begun;
  await recordTurn(begun);
  const { size, note } = await log.checkpoint("demand");
  const named = pins.length === 0 ? {} : { pins: pins.map((one) => fingerprint(one.der)).join("") };
  await log.append(
    { kind: "anchor.added", anchor: "t", type: "timestamp", vkey: null, ...BY, ...named },
    { cause: null, certificates: pins.map((one) => one.der) },
  );
  log.anchors.store("t", size, proofOf(response(createHash("sha256").update(note).digest())));
  await log.append({ kind: "anchor.reached", anchor: "t", size }, { cause: null });
  await recordTurn(begun);
  await log.checkpoint("demand");
  await log.close();
  return { ...begun, size };
}

function verdictOf({ path, log }: TestLog, options: VerifyOptions = {}): Verdict {
  return verifySync(path, { vkey: log.vkey, ...options });
}

function codes(verdict: Verdict): string[] {
  return verdict.findings.map(({ code }) => code).toSorted();
}

test("with the certificate that the log pins, rows are complete up to it, out of the reach of their writer", async () => {
  const log = await stamped([root]);
  const verdict = verdictOf(log);
  expect(verdict).toMatchObject({
    state: "good",
    selfAttested: false,
    completeness: { size: log.size, by: "timestamp" },
    findings: [],
  });
  const pin = fingerprint(root.der);
  expect(verdict.anchors).toContainEqual(expect.objectContaining({ by: "timestamp", good: true, pin, given: false }));
  const line = sentences(verdict).find((one) => one.startsWith("timestamp of t"));
  expect(line).toContain("also finds truncation");
  expect(line).toContain(`compare it with the one that the authority publishes, SHA-256 ${pin}`);
});

test("the certificate is there as soon as the row that pins it is, so that no crash leaves the one without the other", async () => {
  const { log } = await beginLog(ownFolder());
  const stored: number[] = [];
  log.follow(log.size - 1, ({ action }) => {
    if (action.kind === "anchor.added") stored.push(log.anchors.certificates("t").length);
  });
  const pins = fingerprint(root.der);
  await log.append(
    { kind: "anchor.added", anchor: "t", type: "timestamp", vkey: null, ...BY, pins },
    { cause: null, certificates: [root.der] },
  );
  expect(stored).toEqual([1]);
  await log.close();
});

test("without a certificate it is present, and counts for nothing", async () => {
  const log = await stamped([]);
  const verdict = verdictOf(log);
  expect(verdict).toMatchObject({ state: "good", selfAttested: true });
  expect(verdict.completeness.by).not.toBe("timestamp");
  expect(sentences(verdict).find((one) => one.startsWith("timestamp of t"))).toContain("present, not checked");
});

test("a reader's own certificate is asked, and then no other", async () => {
  const none = await stamped([]);
  const checked = verdictOf(none, { authorities: [root.der] });
  expect(checked).toMatchObject({ state: "good", selfAttested: false, completeness: { by: "timestamp" } });
  expect(sentences(checked).join("\n")).toContain(
    `of the certificate that was given, SHA-256 ${fingerprint(root.der)}`,
  );
  const pinned = await stamped([root]);
  expect(codes(verdictOf(pinned, { authorities: [other.der] }))).toEqual(["anchor-forged", "anchor-missing"]);
  expect(verdictOf(pinned, { authorities: [other.der, root.der] }).state).toBe("good");
});

test("one by an authority that the pinned certificate does not vouch for is none", async () => {
  expect(codes(verdictOf(await stamped([other])))).toEqual(["anchor-forged", "anchor-missing"]);
});

/** openssl's answer, with another time written into it: a second later, or earlier where the minute is at its end. */
function ofAnotherSecond(digest: Uint8Array): Buffer {
  const made = openssl.stamp(digest, authority, "sha256");
  const read = readTimestamp(made);
  if ("refused" in read) throw new Error("openssl refused");
  const second = Number(read.time.slice(0, -1));
  const changed = Buffer.from(made);
  changed.set(Buffer.from(`${second % 100 === 59 ? second - 1 : second + 1}Z`), made.indexOf(read.time));
  return changed;
}

test("one whose signature was made over another time is none, though its bytes say that time", async () => {
  expect(codes(verdictOf(await stamped([], ofAnotherSecond)))).toEqual([]);
  expect(codes(verdictOf(await stamped([root], ofAnotherSecond)))).toEqual(["anchor-forged", "anchor-missing"]);
});

test("one that says that it saw a row more than five minutes before that was written is a finding", async () => {
  const early = `${new Date(Date.now() - 301_000).toISOString().replaceAll(/\D/g, "").slice(0, 14)}Z`;
  const old = openssl.issue("old", { extensions: [...EXTENSIONS.authority, EXTENSIONS.stamping], under: root });
  const response = (digest: Uint8Array): Buffer => openssl.forge(timestampInfo(digest, early), old);
  expect(codes(verdictOf(await stamped([], response)))).toEqual(["anchor-missing", "anchor-time"]);
});

test.for([
  ["deleted", "DELETE FROM anchor WHERE size = 0", ["anchor-forged", "anchor-missing", "anchor-missing"]],
  [
    "of another name",
    "UPDATE anchor SET name = 'x' WHERE size = 0",
    ["anchor-foreign", "anchor-forged", "anchor-missing", "anchor-missing"],
  ],
  [
    "cut",
    "UPDATE anchor SET proof = substr(proof, 1, length(proof) - 1) WHERE size = 0",
    ["anchor-forged", "anchor-forged", "anchor-missing", "anchor-missing"],
  ],
  [
    "no certificate",
    "UPDATE anchor SET proof = x'00' WHERE size = 0",
    ["anchor-forged", "anchor-forged", "anchor-missing", "anchor-missing"],
  ],
] as const)("a pinned certificate that is %s is missed", async ([, sql, expected]) => {
  const log = await stamped([root]);
  expect(verdictOf(log).findings).toEqual([]);
  const database = new Database(log.path);
  expect(database.prepare(sql).run().changes).toBe(1);
  database.close();
  expect(codes(verdictOf(log))).toEqual([...expected]);
});

test("another certificate in the place of the pinned one does not make its authority's timestamps good", async () => {
  const log = await stamped([other]);
  const database = new Database(log.path);
  const swapped = Buffer.concat([Buffer.from("wirken/certificate/v1\n"), root.der]);
  expect(database.prepare("UPDATE anchor SET proof = ? WHERE size = 0").run(swapped).changes).toBe(1);
  database.close();
  expect(codes(verdictOf(log))).toContain("anchor-forged");
});

test("an export carries both, for openssl and for our own verifier; of a part only what its reader gives is asked", async () => {
  const log = await stamped([root]);
  const out = join(ownFolder(), "out");
  exported(log.path, out);
  expect(verifySync(out, { vkey: log.signer.vkey })).toMatchObject({
    state: "good",
    selfAttested: false,
    completeness: { size: log.size, by: "timestamp" },
  });
  const files = ["-in", join(out, "anchor/2.tsr"), "-data", join(out, "anchor/2.note")];
  const said = spawnSync("openssl", ["ts", "-verify", ...files, "-CAfile", join(out, "anchor/1.pem")], {
    encoding: "utf8",
  });
  expect(`${said.stdout}${said.stderr}`).toContain("Verification: OK");
  expect(readFileSync(join(out, "anchor/1.pem"), "utf8")).toBe(root.pem);
  expect(existsSync(join(out, "anchor/1.note"))).toBe(false);

  const part = join(ownFolder(), "part");
  exported(log.path, part, { from: 1, to: 3 });
  const options = { vkey: log.signer.vkey };
  const unasked = verifySync(part, options);
  expect([unasked.state, unasked.selfAttested]).toEqual(["good", true]);
  expect(unasked.warnings.map(({ code }) => code)).toContain("anchor-file");
  const asked = verifySync(part, { ...options, authorities: [root.der] });
  expect(asked).toMatchObject({
    state: "good",
    selfAttested: false,
    completeness: { size: log.size, by: "timestamp" },
  });
  expect(asked.warnings.map(({ code }) => code)).not.toContain("anchor-file");
  expect(codes(verifySync(part, { ...options, authorities: [other.der] }))).toEqual(["anchor-forged"]);
});

test("a certificate that is deleted from an export is missed", async () => {
  const log = await stamped([root]);
  const out = join(ownFolder(), "out");
  exported(log.path, out);
  const lines = readFileSync(join(out, "anchors.jsonl"), "utf8").split("\n");
  writeFileSync(join(out, "anchors.jsonl"), lines.slice(1).join("\n"));
  rewriteManifest(out);
  expect(codes(verifySync(out, { vkey: log.signer.vkey }))).toContain("anchor-missing");
});
