import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { timestampProof } from "../../../audit/anchor-proof.ts";
import { fingerprint } from "../../../audit/authorities.ts";
import { der, TAG } from "../../../audit/der.ts";
import { signCheckpoint } from "../../../audit/note.ts";
import type { VerifyOptions } from "../../../audit/verify.ts";
import { healthyLog, recordTurn, reopen, type TestLog } from "../../support/audit-fixture.ts";
import { exported, rewriteManifest } from "../../support/exported.ts";
import { EXTENSIONS, TestCertificates, timestampInfo, type TestCertificate } from "../../support/test-certificates.ts";
import { TestWitnessKey } from "../../support/test-witness-key.ts";
import { sql, BY, type Case, type Harm } from "./case.ts";

/** What may become of the answers of anchors. */

/** Another answer in the place of the only one for an anchor. */
function answers(name: string, proof: Uint8Array): Harm {
  return (at) => {
    const database = new Database(at);
    database.prepare("UPDATE anchor SET proof = ? WHERE name = ? AND size > 0").run(Buffer.from(proof), name);
    database.close();
  };
}

interface Anchored extends TestLog {
  readonly size: number;
  readonly note: string;
  readonly witness: TestWitnessKey;
  readonly openssl: TestCertificates;
  readonly root: TestCertificate;
  readonly authority: TestCertificate;
}

async function anchored(folder: string): Promise<Anchored> {
  const openssl = new TestCertificates(folder);
  const root = openssl.issue("root", { extensions: EXTENSIONS.root });
  const authority = openssl.issue("authority", {
    extensions: [...EXTENSIONS.authority, EXTENSIONS.stamping],
    under: root,
  });
  const test = await healthyLog(folder, 4);
  test.clock.wall = Math.ceil(Date.now() / 1000 + 60) * 1000;
  const log = await reopen(test);
  const { size, note } = await log.checkpoint("start");
  const witness = new TestWitnessKey();
  const added = { kind: "anchor.added", ...BY } as const;
  await log.append({ ...added, anchor: "w", type: "witness", vkey: witness.vkey }, { cause: null });
  const pins = fingerprint(root.der);
  await log.append(
    { ...added, anchor: "t", type: "timestamp", vkey: null, pins },
    { cause: null, certificates: [root.der] },
  );
  await log.append({ ...added, anchor: "u", type: "timestamp", vkey: null }, { cause: null });
  log.anchors.store("w", size, Buffer.from(witness.cosign(note, Math.floor(test.clock.now() / 1000))));
  for (const anchor of ["t", "u"]) log.anchors.store(anchor, size, stamp(openssl, authority, note, test.clock.now()));
  for (const anchor of ["w", "t", "u"]) await log.append({ kind: "anchor.reached", anchor, size }, { cause: null });
  await recordTurn(test);
  await log.close();
  return { ...test, size, note, witness, openssl, root, authority };
}

function timeOf(ms: number): string {
  return `${new Date(ms).toISOString().replaceAll(/\D/g, "").slice(0, 14)}Z`;
}

/** A timestamp of a time, as it is stored. */
function stamp(openssl: TestCertificates, signer: TestCertificate, note: string, ms: number): Uint8Array {
  const time = timeOf(ms);
  const digest = createHash("sha256").update(note).digest();
  return timestampProof(time, openssl.forge(timestampInfo(digest, time), signer));
}

/** Makes the cases in a folder. */
export async function anchorCases(folder: string): Promise<Case[]> {
  const at = mkdtempSync(join(folder, "anchored-"));
  const log = await anchored(at);
  const { witness, note, size, openssl, root, authority, clock } = log;
  const options = { vkey: log.signer.vkey, now: clock.now() + 60_000 };
  const early = (clock.now() - 400_000) / 1000;
  const stranger = openssl.issue("stranger", { extensions: [...EXTENSIONS.authority, EXTENSIONS.stamping] });
  /** Its bytes hold a second time, in the authority's name; the first is the one that was signed as its time. */
  const twoTimes = (): Uint8Array => {
    const [time, other] = [timeOf(clock.now()), timeOf(clock.now() + 1_000)];
    const digest = createHash("sha256").update(note).digest();
    const info = timestampInfo(digest, time, der(TAG.c0, der(TAG.time, Buffer.from(other))));
    return timestampProof(other, openssl.forge(info, authority));
  };
  const forked = { size, note: signCheckpoint({ origin: log.origin, size, root: "ab".repeat(32) }, [log.signer]) };
  const made = (name: string, codes: readonly string[], harm: Harm, more: VerifyOptions = {}): Case => {
    const path = join(mkdtempSync(join(folder, "case-")), "audit.db");
    cpSync(log.path, path);
    harm(path);
    return { name, path, options: { ...options, ...more }, codes };
  };
  const goneOn = async (
    name: string,
    codes: readonly string[],
    more: (test: TestLog) => Promise<unknown>,
  ): Promise<Case> => {
    const path = join(mkdtempSync(join(folder, "case-")), "audit.db");
    cpSync(log.path, path);
    const again = { ...log, path };
    const opened = await reopen(again);
    await opened.checkpoint("start");
    await more(again);
    await opened.close();
    return { name, path, options, codes };
  };
  const added = { kind: "anchor.added", ...BY } as const;
  const cut = goneOn(
    "anchors: what an anchor covers is cut off",
    ["anchor-missing", "log-cut", "rolled-back"],
    async (test) => {
      const newer = await test.log.checkpoint("demand");
      test.log.anchors.store("w", newer.size, Buffer.from(witness.cosign(newer.note, Math.floor(clock.now() / 1000))));
      await recordTurn(test);
    },
  ).then((one) => {
    const database = new Database(one.path);
    const newest: unknown = database.prepare("SELECT max(size) FROM anchor").pluck().get();
    database.prepare("DELETE FROM entry WHERE seq >= ?").run(Number(newest) - 2);
    database.prepare("DELETE FROM content WHERE id >= ?").run((Number(newest) - 2) * 16);
    database.close();
    return one;
  });
  return [
    made("anchors: nothing", [], () => undefined),
    made("anchors: all answers are deleted", ["anchor-missing"], sql("DELETE FROM anchor")),
    made(
      "anchors: a cosignature is of another witness",
      ["anchor-forged", "anchor-missing"],
      answers("w", Buffer.from(new TestWitnessKey("witness.test/w1").cosign(note, Math.floor(clock.now() / 1000)))),
    ),
    made(
      "anchors: a cosignature is damaged",
      ["anchor-forged", "anchor-missing"],
      answers("w", Buffer.from(witness.cosign(`${note.split("\n\n")[0] ?? ""}x\n\n`, Math.floor(clock.now() / 1000)))),
    ),
    made(
      "anchors: a cosignature is much earlier than its rows",
      ["anchor-missing", "anchor-time"],
      answers("w", Buffer.from(witness.cosign(note, Math.floor(early)))),
    ),
    made(
      "anchors: a cosignature is of an anchor that no row introduces",
      ["anchor-foreign", "anchor-missing"],
      sql("UPDATE anchor SET name = 'x' WHERE name = 'w'"),
    ),
    made(
      "anchors: a cosignature is about no rows",
      ["anchor-forged", "anchor-missing"],
      sql("UPDATE anchor SET size = -1 WHERE name = 'w'"),
    ),
    made(
      "anchors: a cosignature is about rows that no checkpoint covers",
      ["anchor-forged", "anchor-missing"],
      sql(`UPDATE anchor SET size = ${size - 1} WHERE name = 'w'`),
    ),
    made("anchors: an answer is nothing", ["anchor-forged", "anchor-missing"], answers("w", new Uint8Array(0))),
    made(
      "anchors: an answer is of another kind",
      ["anchor-forged", "anchor-missing"],
      answers("w", stamp(openssl, authority, note, clock.now())),
    ),
    made(
      "anchors: a timestamp is of another note",
      ["anchor-forged", "anchor-missing"],
      answers("t", stamp(openssl, authority, "another", clock.now())),
    ),
    made(
      "anchors: a timestamp that nobody vouches for is of another note",
      ["anchor-forged", "anchor-missing"],
      answers("u", stamp(openssl, authority, "another", clock.now())),
    ),
    made(
      "anchors: a timestamp that nobody vouches for is of what stands where a checkpoint stood",
      ["anchor-forged", "anchor-missing", "checkpoint-changed", "forked"],
      (file) => {
        sql(`UPDATE checkpoint SET note = 'no checkpoint' WHERE size = ${size}`)(file);
        answers("u", stamp(openssl, authority, "no checkpoint", clock.now()))(file);
      },
    ),
    made(
      "anchors: a timestamp is of a stranger",
      ["anchor-forged", "anchor-missing"],
      answers("t", stamp(openssl, stranger, note, clock.now())),
    ),
    made(
      "anchors: a timestamp says another time than was signed",
      ["anchor-forged", "anchor-missing"],
      answers("t", twoTimes()),
    ),
    made(
      "anchors: a timestamp is of an authority that its reader does not trust",
      ["anchor-forged", "anchor-missing"],
      () => undefined,
      { authorities: [stranger.der] },
    ),
    made(
      "anchors: the pinned certificate is deleted",
      ["anchor-forged", "anchor-missing"],
      sql("DELETE FROM anchor WHERE size = 0"),
    ),
    made(
      "anchors: the pinned certificate is given to another",
      ["anchor-foreign", "anchor-forged", "anchor-missing"],
      sql("UPDATE anchor SET name = 'x' WHERE size = 0"),
    ),
    made("anchors: another certificate is stored besides", ["anchor-forged"], (path) => {
      const database = new Database(path);
      const proof = Buffer.concat([Buffer.from("wirken/certificate/v1\n"), stranger.der]);
      database.prepare("INSERT INTO anchor (size, name, proof) VALUES (0, 't', ?)").run(proof);
      database.close();
    }),
    made(
      "anchors: another certificate is stored besides, and its timestamp",
      ["anchor-forged", "anchor-missing"],
      (path) => {
        const database = new Database(path);
        const proof = Buffer.concat([Buffer.from("wirken/certificate/v1\n"), stranger.der]);
        database.prepare("INSERT INTO anchor (size, name, proof) VALUES (0, 't', ?)").run(proof);
        database.close();
        answers("t", stamp(openssl, stranger, note, clock.now()))(path);
      },
    ),
    await cut,
    await goneOn(
      "anchors: a witness without a key",
      ["anchor-foreign", "anchor-missing"],
      async ({ log: own }) =>
        await own.append({ ...added, anchor: "v", type: "witness", vkey: log.signer.vkey }, { cause: null }),
    ),
    await goneOn(
      "anchors: one that was promised and never answered",
      ["anchor-missing"],
      async ({ log: own }) =>
        await own.append({ ...added, anchor: "v", type: "witness", vkey: new TestWitnessKey().vkey }, { cause: null }),
    ),
    await goneOn(
      "anchors: more of them than there can be",
      ["anchor-foreign"],
      async ({ log: own }) =>
        await Promise.all(
          Array.from({ length: 1_001 }, (_, nth) =>
            own.append({ ...added, anchor: `k${nth}`, type: "keychain", vkey: null }, { cause: null }),
          ),
        ),
    ),
    await goneOn(
      "anchors: one says that it holds another history",
      ["anchor-conflict"],
      async ({ log: own }) =>
        await own.append({ kind: "anchor.failed", anchor: "w", reason: "conflict" }, { cause: null }),
    ),
    await goneOn(
      "anchors: one is said to have reached further than any answer",
      ["anchor-missing"],
      async ({ log: own }) =>
        await own.append({ kind: "anchor.reached", anchor: "w", size: own.size - 1 }, { cause: null }),
    ),
    made(
      "anchors: an answer is about another tree, which the log's key signed",
      ["anchor-forged", "anchor-missing", "checkpoint-frontier", "forked", "rows-unsigned"],
      (path) => {
        const database = new Database(path);
        database.prepare("UPDATE checkpoint SET note = ? WHERE size = ?").run(forked.note, size);
        database.close();
        answers("w", Buffer.from(witness.cosign(forked.note, Math.floor(clock.now() / 1000))))(path);
        answers("t", stamp(openssl, authority, forked.note, clock.now()))(path);
      },
    ),
    ...exportsOfAnchors(folder, log, options, stranger, root),
  ].map((one) => ({ ...one, codes: one.codes.toSorted() }));
}

function exportsOfAnchors(
  folder: string,
  log: Anchored,
  options: VerifyOptions,
  stranger: TestCertificate,
  root: TestCertificate,
): Case[] {
  const whole = join(mkdtempSync(join(folder, "anchored-out-")), "out");
  exported(log.path, whole);
  const part = join(mkdtempSync(join(folder, "anchored-out-")), "out");
  exported(log.path, part, { from: 3, to: 6 });
  const without = join(mkdtempSync(join(folder, "anchored-out-")), "out");
  cpSync(whole, without, { recursive: true });
  writeFileSync(join(without, "anchors.jsonl"), "");
  rewriteManifest(without);
  const trusts = (authorities: readonly Uint8Array[]): VerifyOptions => ({ ...options, authorities });
  return [
    { name: "export: its answers of anchors are deleted", path: without, options, codes: ["anchor-missing"] },
    {
      name: "export: a part, with a certificate that vouches for nothing in it",
      path: part,
      options: trusts([stranger.der]),
      codes: ["anchor-forged"],
    },
    { name: "export: a part, with the right certificate", path: part, options: trusts([root.der]), codes: [] },
  ];
}
