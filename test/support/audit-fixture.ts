import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { beside } from "../../audit/beside.ts";
import { openForWriting } from "../../audit/database.ts";
import { entryHash, NO_PREVIOUS, writeBody } from "../../audit/entry.ts";
import { type AuditLog, BootLog, type LogEvents } from "../../audit/log.ts";
import { Frontier } from "../../audit/merkle.ts";
import { signCheckpoint } from "../../audit/note.ts";
import type { Signer } from "../../audit/ports.ts";
import { ed25519Signer, HandClock, newOrigin, ScopedSealer } from "./audit-ports.ts";

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** An id as the product mints them. */
export function anId(prefix: string): string {
  return `${prefix}_${Array.from(randomBytes(26), (byte) => ALPHABET.charAt(byte & 31)).join("")}`;
}

export const A_DIGEST = "5f".repeat(32);

/** A log with what it takes to go on with it. */
export interface TestLog {
  readonly path: string;
  readonly origin: string;
  readonly signer: Signer;
  readonly sealer: ScopedSealer;
  readonly clock: HandClock;
  log: AuditLog;
}

/** Begins a log in a folder. */
export async function beginLog(
  folder: string,
  given: { clock?: HandClock; events?: LogEvents; protector?: "none" | "keychain" } = {},
): Promise<TestLog> {
  const path = `${folder}/audit.db`;
  const clock = given.clock ?? new HandClock();
  const origin = newOrigin();
  const signer = ed25519Signer(origin);
  const sealer = new ScopedSealer();
  const boot = BootLog.open(path, clock);
  const log = await boot.create(signer, sealer, { protector: given.protector ?? "keychain", anchors: 0 }, given.events);
  return { path, origin, signer, sealer, clock, log };
}

/** Opens a closed log again, as a start of the daemon does. */
export async function reopen(test: TestLog, signer: Signer = test.signer, events?: LogEvents): Promise<AuditLog> {
  const boot = BootLog.open(test.path, test.clock);
  await boot.append({ kind: "daemon.starting", version: "0.1.0", build: "test" });
  test.log = boot.unseal(signer, test.sealer, events);
  return test.log;
}

/** One turn as the product records it: 7 rows, three of them with content. */
export async function recordTurn({ log, clock }: TestLog, session = anId("s")): Promise<number> {
  const [principal, turn, message] = [anId("p"), anId("t"), anId("m")];
  const under = { policy: A_DIGEST, settings: A_DIGEST };
  const common = { session, principal, agent: "default" };
  const received = await log.append(
    { kind: "message.received", message, session, conversation: anId("c"), channel: "slack", principal },
    { cause: null, seal: session, content: { text: "how much disk is free?", platform: "1700000000.000100" } },
  );
  clock.pass(10);
  const started = await log.append(
    { kind: "turn.started", turn, message, ...common, ...under },
    { cause: received.seq },
  );
  const called = await log.record(
    {
      kind: "tool.called",
      turn,
      call: anId("k"),
      tool: "exec",
      key: "exec:ro",
      tier: 1,
      authority: "free",
      rests: null,
      ...common,
      ...under,
    },
    { cause: started.seq, seal: session, content: { action: '{"argv":["df","-h"]}' } },
  );
  called.redeem();
  clock.pass(10);
  await called.finish({ kind: "tool.finished", outcome: "done", status: 0 }, { result: "12 GB" });
  const sent = await log.record(
    { kind: "message.sent", message: anId("m"), session, conversation: anId("c"), channel: "slack", purpose: "reply" },
    { cause: started.seq, seal: session, content: { text: "12 GB are free." } },
  );
  sent.redeem();
  clock.pass(10);
  await sent.finish({ kind: "message.delivered", parts: 1, bytes: 15 });
  await log.append({ kind: "turn.ended", turn, session, reason: "done", rounds: 1 }, { cause: started.seq });
  return called.seq;
}

/** A stopped log of a little over `turns * 7` rows, with a checkpoint every tenth turn and two starts. */
export async function healthyLog(folder: string, turns = 40): Promise<TestLog> {
  const test = await beginLog(folder);
  for (let turn = 0; turn < turns; turn++) {
    if (turn % 10 === 9) await test.log.checkpoint("demand");
    if (turn === turns / 2) {
      await test.log.close();
      test.clock.pass(60_000);
      await (await reopen(test)).checkpoint("start");
    }
    await recordTurn(test);
  }
  await test.log.close();
  return test;
}

/** Writes a log of many rows fast, without the log's own code path of one transaction a batch: for measurements, and for sizes that would take too long.
 *  Every row is as the log would have written it, with a body of about 300 bytes, and a checkpoint every 1,000 rows.
 *  @param tamper changes a body after its hash was taken. */
export function bulkLog(
  folder: string,
  rows: number,
  tamper: { seq: number; body: (body: string) => string } | null = null,
): { path: string; vkey: string } {
  const path = `${folder}/audit.db`;
  const origin = newOrigin();
  const signer = ed25519Signer(origin);
  const head = {
    size: 0,
    previous: NO_PREVIOUS,
    frontier: new Frontier(),
    at: Date.parse("2026-01-01T00:00:00.000Z"),
    step: 20,
  };
  bulkRows(path, origin, signer, head, rows, tamper);
  return { path, vkey: signer.vkey };
}

/** Writes as many rows behind those that a log has. @param head what they follow from, the time of the first in milliseconds since 1970, and how many pass from one to the next. */
export function bulkRows(
  path: string,
  origin: string,
  signer: Signer,
  head: {
    readonly size: number;
    readonly previous: string;
    readonly frontier: Frontier;
    readonly at: number;
    readonly step: number;
    /** Another body than that of a message. */
    readonly body?: (seq: number, at: string, nonce: string) => string;
  },
  rows: number,
  tamper: { seq: number; body: (body: string) => string } | null = null,
): void {
  const database = openForWriting(path);
  database.pragma("synchronous = OFF");
  const insert = database.prepare("INSERT INTO entry VALUES (?, ?, ?)");
  const checkpoint = database.prepare("INSERT INTO checkpoint VALUES (?, ?, ?)");
  const { size: first, frontier: tree } = head;
  const [session, principal, conversation] = [anId("s"), anId("p"), anId("c")];
  let { previous } = head;
  let note = "";
  const end = first + rows;
  database.exec("BEGIN");
  for (let seq = first; seq < end; seq++) {
    const at = new Date(head.at + (seq - first) * head.step).toISOString();
    const nonce = randomBytes(16).toString("hex");
    const last = seq === 1 || seq % 1_000 === 999 || seq === end - 1;
    const body =
      seq === 0
        ? writeBody({
            at,
            cause: null,
            kind: "log.opened",
            seq,
            fields: { origin, vkey: signer.vkey, format: 1, protector: "keychain", anchors: 0 },
            content: null,
            nonce,
          })
        : last
          ? `{"$at":"${at}","$cause":null,"$kind":"log.checkpointed","$seq":${seq},"nonce":"${nonce}","reason":"rows"}`
          : head.body !== undefined
            ? head.body(seq, at, nonce)
            : `{"$at":"${at}","$cause":${seq - 1},"$kind":"message.received","$seq":${seq},"channel":"slack","conversation":"${conversation}","message":"m_${nonce.slice(0, 26)}","nonce":"${nonce}","principal":"${principal}","session":"${session}"}`;
    previous = entryHash(previous, body);
    tree.append(previous);
    insert.run(seq, tamper?.seq === seq ? tamper.body(body) : body, previous);
    if (last) {
      note = signCheckpoint({ origin, size: seq + 1, root: tree.root() }, [signer]);
      checkpoint.run(seq + 1, note, tree.toString());
    }
  }
  database.exec("COMMIT");
  database.close();
  writeFileSync(beside(path).checkpoint, note);
}
