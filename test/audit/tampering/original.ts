import { cpSync, existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import type { AuditLog } from "../../../audit/log.ts";
import type { Sealer, Signer } from "../../../audit/ports.ts";
import { anId, beginLog, recordTurn, reopen, type TestLog } from "../../support/audit-fixture.ts";
import { ed25519Signer } from "../../support/audit-ports.ts";
import { type Row, readRows } from "./hand.ts";

/** The files that are a log; a copy of them is what somebody tampers with. */
export const FILES = ["audit.db", "audit.db-wal", "audit.checkpoint"] as const;

/** A log that a real run left behind, and what its owner, or who audits it, knows of it. */
export interface Original {
  readonly folder: string;
  readonly origin: string;
  /** By epoch, from the first. */
  readonly signers: readonly Signer[];
  readonly sealer: Sealer;
  /** When it was left, in milliseconds. */
  readonly now: number;
  /** Its newest checkpoint, as an outside anchor keeps it. */
  readonly outside: string;
  readonly rows: readonly Row[];
  /** The same log as it was some time before. */
  readonly earlier: string;
  /** Another log of the same user, in use. */
  readonly other: string;
}

/** Copies a log's files, its write-ahead log with them. Nobody writes meanwhile. */
export function copyLog(from: string, to: string = mkdtempSync(join(tmpdir(), "wirken-tampered-"))): string {
  for (const name of FILES) if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name));
  return to;
}

/** A folder of a log's own, where its test deletes them all. */
function beside(folder: string, prefix: string): string {
  return mkdtempSync(join(dirname(folder), prefix));
}

/** 70 rows and more: content, checkpoints of every reason but time, two starts, a new key between them. */
export async function wholeLog(folder: string): Promise<Original> {
  const test = await beginLog(folder);
  await recordTurn(test);
  await recordTurn(test);
  await test.log.checkpoint("demand");
  await recordTurn(test);
  await test.log.close();
  const earlier = copyLog(folder, beside(folder, "earlier-"));
  test.clock.pass(60_000);
  await (await reopen(test)).checkpoint("start");
  await recordTurn(test);
  const next = ed25519Signer(test.origin);
  await test.log.rotate(next, { protector: "keychain", cause: null });
  await recordTurn(test);
  await recordTurn(test);
  await test.log.checkpoint("demand");
  await recordTurn(test);
  await test.log.close();
  test.clock.pass(60_000);
  await (await reopen(test, next)).checkpoint("start");
  await recordTurn(test);
  await recordTurn(test);
  await recordTurn(test);
  await test.log.close();
  return { ...left(test, folder, earlier), signers: [test.signer, next], other: await otherLog(folder) };
}

/** A log in use, most of it in its write-ahead log. */
async function otherLog(folder: string): Promise<string> {
  const run = beside(folder, "run-");
  const test = await beginLog(run);
  await recordTurn(test);
  const other = copyLog(run, beside(folder, "other-"));
  await test.log.close();
  return other;
}

/** A log whose daemon was killed: newer rows have no checkpoint, and lie in the write-ahead log with most others. */
export async function killedLog(folder: string): Promise<Original> {
  const run = beside(folder, "run-");
  const test = await beginLog(run);
  await recordTurn(test);
  await test.log.close();
  const earlier = copyLog(run, beside(folder, "earlier-"));
  test.clock.pass(60_000);
  await (await reopen(test)).checkpoint("start");
  await recordTurn(test);
  await test.log.checkpoint("demand");
  await recordTurn(test);
  await openIntent(test.log);
  // What lies on the disk at this instant is what a kill would leave.
  copyLog(run, folder);
  const original = left(test, folder, earlier);
  await test.log.close();
  return original;
}

/** A log of a few rows with one of everything: genesis, content, a fact, checkpoints. */
export async function closingLog(folder: string): Promise<Original> {
  const test = await beginLog(folder);
  const session = anId("s");
  await test.log.append(
    {
      kind: "message.received",
      message: anId("m"),
      session,
      conversation: anId("c"),
      channel: "slack",
      principal: anId("p"),
    },
    { cause: null, seal: session, content: { text: "hi", platform: "1" } },
  );
  await test.log.append({ kind: "session.closed", session, reason: "new" }, { cause: null });
  await test.log.close();
  return left(test, folder, folder);
}

/** A log as it was at each of these sizes, ascending, with a checkpoint of exactly so many rows. */
export async function logsOfSizes(sizes: readonly number[], folderOf: (size: number) => string): Promise<Original[]> {
  const run = beside(folderOf(0), "run-");
  const test = await beginLog(run);
  const originals: Original[] = [];
  for (const size of sizes) {
    const facts = Array.from({ length: Math.max(0, size - 1 - test.log.size) }, () =>
      test.log.append({ kind: "session.closed", session: anId("s"), reason: "new" }, { cause: null }),
    );
    await Promise.all(facts);
    if (test.log.size < size) await test.log.checkpoint("demand");
    const folder = copyLog(run, folderOf(size));
    originals.push(left(test, folder, folder));
  }
  await test.log.close();
  return originals;
}

async function openIntent(log: AuditLog): Promise<void> {
  const sent = await log.record(
    {
      kind: "message.sent",
      message: anId("m"),
      session: null,
      conversation: anId("c"),
      channel: "slack",
      purpose: "notice",
    },
    { cause: null, content: { text: "done" } },
  );
  sent.redeem();
}

function left(test: TestLog, folder: string, earlier: string): Original {
  // Of a copy: whoever opens a database with a write-ahead log changes the files.
  const database = new Database(join(copyLog(folder, beside(folder, "read-")), "audit.db"));
  try {
    const { origin, signer, sealer, clock, log } = test;
    const outside = log.lastCheckpoint?.note ?? "";
    return {
      folder,
      origin,
      signers: [signer],
      sealer,
      now: clock.now(),
      outside,
      rows: readRows(database),
      earlier,
      other: earlier,
    };
  } finally {
    database.close();
  }
}
