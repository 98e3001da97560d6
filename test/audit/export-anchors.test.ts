import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { timestampProof } from "../../audit/anchor-proof.ts";
import { sentences, verifySync } from "../../audit/verify.ts";
import { anId, beginLog, recordTurn, type TestLog } from "../support/audit-fixture.ts";
import { HandClock } from "../support/audit-ports.ts";
import { exported, rewriteManifest } from "../support/exported.ts";
import { TestWitnessKey } from "../support/test-witness-key.ts";

/** A log with the answers of a witness and of a timestamp authority is handed over with both. */

const folder = mkdtempSync(join(tmpdir(), "wirken-export-anchors-"));
const out = join(folder, "out");
const BY = { by: anId("p"), via: "terminal" } as const;
const witness = new TestWitnessKey();
let log: TestLog;
let size: number;

/** openssl's own authority, of an hour's life. @returns its response over a digest. */
function stamped(digest: string): Buffer {
  const openssl = (...words: readonly string[]): void =>
    void execFileSync("openssl", words, { cwd: folder, stdio: "pipe" });
  writeFileSync(
    join(folder, "tsa.cnf"),
    [
      "[tsa]",
      "default_tsa = it",
      "[it]",
      "serial = serial",
      "default_policy = 1.2.3.4.1",
      "digests = sha256",
      "signer_digest = sha256",
      "[extensions]",
      "extendedKeyUsage = critical,timeStamping",
      "",
    ].join("\n"),
  );
  writeFileSync(join(folder, "serial"), "01\n");
  const request = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-x509", "-days", "1"];
  openssl(
    "req",
    ...request,
    "-subj",
    "/CN=authority",
    "-addext",
    "extendedKeyUsage=critical,timeStamping",
    "-keyout",
    "key.pem",
    "-out",
    "ca.pem",
  );
  openssl("ts", "-query", "-digest", digest, "-sha256", "-cert", "-out", "query.tsq");
  openssl(
    "ts",
    "-reply",
    "-config",
    "tsa.cnf",
    "-queryfile",
    "query.tsq",
    "-signer",
    "ca.pem",
    "-inkey",
    "key.pem",
    "-out",
    "reply.tsr",
  );
  return readFileSync(join(folder, "reply.tsr"));
}

/** The time in a response, as it stands there. */
function timeIn(response: Buffer): string {
  return (
    /\d{14}(?:\.\d+)?Z/.exec(response.subarray(response.indexOf(Buffer.of(0x18, 0x0f))).toString("latin1"))?.[0] ?? ""
  );
}

beforeAll(async () => {
  log = await beginLog(folder, { clock: new HandClock(new Date().toISOString()) });
  await recordTurn(log);
  const { size: first, note } = await log.log.checkpoint("demand");
  size = first;
  const added = { kind: "anchor.added", ...BY } as const;
  await log.log.append({ ...added, anchor: "w", type: "witness", vkey: witness.vkey }, { cause: null });
  await log.log.append({ ...added, anchor: "t", type: "timestamp", vkey: null }, { cause: null });
  log.log.anchors.store("w", size, Buffer.from(witness.cosign(note, Math.floor(log.clock.now() / 1000))));
  const response = stamped(createHash("sha256").update(note).digest("hex"));
  log.log.anchors.store("t", size, timestampProof(timeIn(response), response));
  await recordTurn(log);
  await log.log.close();
  exported(log.path, out);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("our own verifier compares both, and says up to where a witness vouches", () => {
  const verdict = verifySync(out, { vkey: log.signer.vkey });
  expect(verdict.findings).toEqual([]);
  expect(verdict).toMatchObject({ state: "good", selfAttested: false, completeness: { size, by: "outside" } });
  expect(sentences(verdict).join("\n")).toContain("timestamp of t: agrees");
});

test("openssl accepts the timestamp as VERIFY.md says, and refuses it for another checkpoint", () => {
  const verify = (data: string) =>
    spawnSync(
      "openssl",
      ["ts", "-verify", "-in", join(out, "anchor/2.tsr"), "-data", data, "-CAfile", join(folder, "ca.pem")],
      {
        encoding: "utf8",
      },
    );
  const good = verify(join(out, "anchor/2.note"));
  expect(`${good.stdout}${good.stderr}`).toContain("Verification: OK");
  expect(verify(join(out, "checkpoint")).status).not.toBe(0);
});

test("the witness's cosignature stands below the checkpoint that it is about", () => {
  const note = readFileSync(join(out, "anchor/1.note"), "utf8");
  const line = note.split("\n").find((one) => one.includes(witness.name)) ?? "";
  expect(note.endsWith(`${line}\n`)).toBe(true);
  expect(note).toContain(`\n${size}\n`);
});

test("an answer that is deleted from an export is missed", () => {
  const lines = readFileSync(join(out, "anchors.jsonl"), "utf8").split("\n");
  writeFileSync(join(out, "anchors.jsonl"), lines.slice(1).join("\n"));
  rewriteManifest(out);
  expect(verifySync(out, { vkey: log.signer.vkey }).findings.map(({ code }) => code)).toContain("anchor-missing");
});
