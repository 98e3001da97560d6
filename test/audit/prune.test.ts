import { readFileSync } from "node:fs";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { bodyStays } from "../../audit/prune.ts";
import { rootOf } from "../../audit/merkle.ts";
import { subtreeRoots } from "../../audit/subtrees.ts";
import { sentences, type Verdict, verifySync } from "../../audit/verify.ts";
import { anId, beginLog, healthyLog, recordTurn, reopen, type TestLog } from "../support/audit-fixture.ts";
import { change } from "../support/claims-log.ts";
import { ownFolder } from "../support/folder.ts";

const BY = { by: anId("p"), via: "terminal" } as const;

interface Stored {
  readonly seq: number;
  readonly body: string;
  readonly hash: string;
}

function stored(path: string): Stored[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare<[], Stored>("SELECT seq, body, hash FROM entry ORDER BY seq").all();
  } finally {
    database.close();
  }
}

function contentRows(path: string): number[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare<[], number>("SELECT id / 16 FROM content").pluck().all();
  } finally {
    database.close();
  }
}

function kindOf({ body }: Stored): string {
  return /"\$kind":"([^"]+)"/.exec(body)?.[1] ?? "";
}

function judged({ path, signer, sealer }: TestLog): Verdict {
  return verifySync(path, { vkey: signer.vkey, deep: true, sealer, scratch: ownFolder() });
}

/** A closed log of 40 turns, pruned up to its middle. @param held rows that name this stay. */
async function prunedLog(held: string | null = null): Promise<TestLog & { before: number; was: Stored[] }> {
  const made = await healthyLog(ownFolder());
  const log = await reopen(made);
  await log.checkpoint("start");
  const was = stored(made.path);
  const before = Math.floor(log.size / 2);
  const isHeld = (_: unknown, body: string): boolean => held !== null && body.includes(held);
  await log.removal.prune({ before, held: isHeld, cause: null, ...BY });
  await log.close();
  return { ...made, before, was };
}

function everySeventh({ seq }: { seq: number }): boolean {
  return seq % 7 === 3;
}

test("bodies and content of old rows go, every hash stays, and the log verifies and says from where it is complete", async () => {
  const pruned = await prunedLog();
  const rows = stored(pruned.path);
  expect(rows.slice(0, pruned.was.length).map(({ hash }) => hash)).toEqual(pruned.was.map(({ hash }) => hash));
  const gone = rows.filter(({ body }) => body === "");
  expect(gone.length).toBeGreaterThan(100);
  for (const { seq } of gone) {
    expect(seq).toBeLessThan(pruned.before);
    expect(bodyStays(kindOf(pruned.was[seq] ?? gone[0] ?? { seq, body: "", hash: "" }))).toBe(false);
  }
  const kept = rows.filter(({ seq, body }) => seq < pruned.before && body !== "").map((row) => kindOf(row));
  expect(new Set(kept)).toEqual(new Set(["log.opened", "log.checkpointed"]));
  expect(contentRows(pruned.path).every((seq) => seq >= pruned.before)).toBe(true);
  const verdict = judged(pruned);
  expect(verdict.findings).toEqual([]);
  expect(verdict.state).toBe("good");
  expect(verdict.pruned).toEqual({ rows: gone.length, before: (gone.at(-1)?.seq ?? 0) + 1 });
  expect(sentences(verdict).join("\n")).toContain(`from row ${verdict.pruned.before} on every row is there`);
});

test("a pruned log goes on: it opens, takes rows, explains them, and verifies", async () => {
  const pruned = await prunedLog();
  const log = await reopen(pruned);
  await log.checkpoint("start");
  const called = await recordTurn(pruned);
  expect(log.explain(called).chain.map(({ action }) => action.kind)).toEqual([
    "message.received",
    "turn.started",
    "tool.called",
  ]);
  // A row whose cause was pruned begins its chain itself.
  const ended = stored(pruned.path).find((row) => row.seq >= pruned.before && kindOf(row) === "turn.ended");
  expect(log.explain(ended?.seq ?? -1).chain.at(-1)?.seq).toBe(ended?.seq);
  const seen: number[] = [];
  log.follow(-1, ({ seq }) => seen.push(seq));
  expect(seen).toEqual(stored(pruned.path).flatMap(({ seq, body }) => (body === "" ? [] : [seq])));
  await log.close();
  expect(judged(pruned).findings).toEqual([]);
});

test("what was held and is pruned later is accounted for by the later row", async () => {
  const made = await healthyLog(ownFolder());
  const log = await reopen(made);
  await log.checkpoint("start");
  const before = Math.floor(log.size / 2);
  const first = await log.removal.prune({ before, held: everySeventh, cause: null, ...BY });
  expect(first.held).toBeGreaterThan(10);
  const second = await log.removal.prune({ before: before + 20, held: () => false, cause: null, ...BY });
  expect(second.rows).toBeGreaterThanOrEqual(10);
  await log.close();
  const verdict = judged(made);
  expect(verdict.findings).toEqual([]);
  expect(second.before).toBe(verdict.pruned.before);
});

test("an open action and what led to it keep their bodies", async () => {
  const made = await healthyLog(ownFolder(), 4);
  const log = await reopen(made);
  await log.checkpoint("start");
  const sessionId = anId("s");
  const cause = await log.append(
    { kind: "turn.stopped", turn: anId("t"), session: sessionId, ...BY },
    { cause: null, seal: sessionId },
  );
  const intent = await log.record(
    { kind: "process.started", process: anId("x"), role: "agent", subject: null },
    { cause: cause.seq },
  );
  for (let turn = 0; turn < 4; turn++) await recordTurn(made);
  await log.checkpoint("demand");
  await log.checkpoint("demand");
  const { before } = await log.removal.prune({ before: log.size, held: () => false, cause: null, ...BY });
  expect(before).toBeGreaterThan(intent.seq);
  const rows = stored(made.path);
  expect(rows[cause.seq]?.body).not.toBe("");
  expect(rows[intent.seq]?.body).not.toBe("");
  expect(rows[intent.seq + 1]?.body).toBe("");
  await intent.finish({ kind: "process.unready", reason: "stopped" });
  await log.close();
  expect(judged(made).findings).toEqual([]);
});

test("what a start reads of the log's end is never pruned, whatever is asked", async () => {
  const made = await healthyLog(ownFolder(), 10);
  const log = await reopen(made);
  await log.checkpoint("start");
  await log.removal.prune({ before: log.size, held: () => false, cause: null, ...BY });
  await log.close();
  await (await reopen(made)).close();
  expect(judged(made).findings).toEqual([]);
});

const TAMPERINGS: readonly {
  readonly name: string;
  readonly sql: (log: { before: number; was: Stored[] }) => string;
  readonly codes: readonly string[];
}[] = [
  {
    name: "a body emptied outside of what was pruned",
    sql: ({ before }) => `UPDATE entry SET body = '' WHERE seq = ${before + 5}`,
    codes: ["row-emptied"],
  },
  {
    name: "a body emptied inside of it that was left there",
    sql: ({ before, was }) => {
      const stays = was.find((row) => row.seq > 0 && row.seq < before && kindOf(row) === "log.checkpointed");
      return `UPDATE entry SET body = '' WHERE seq = ${stays?.seq ?? -1}`;
    },
    codes: ["checkpoint-stray", "row-emptied"],
  },
  {
    name: "the hash of a pruned row",
    sql: ({ before }) =>
      `UPDATE entry SET hash = 'ab' || substr(hash, 3) WHERE seq = (SELECT max(seq) FROM entry WHERE body = '' AND seq < ${before} - 3)`,
    codes: ["pruned"],
  },
  {
    name: "the row that names what was pruned",
    sql: () => `UPDATE entry SET body = replace(body, '"rows":', '"rows":1') WHERE body LIKE '%"log.pruned"%'`,
    codes: ["row-emptied", "row-changed"],
  },
  {
    name: "a pruned row that is missing",
    sql: () => "DELETE FROM entry WHERE seq = (SELECT min(seq) + 1 FROM entry WHERE body = '')",
    codes: ["row-missing"],
  },
];

test.for(TAMPERINGS.map((one) => [one.name, one] as const))("found in a pruned log: %s", async ([, { sql, codes }]) => {
  const pruned = await prunedLog();
  expect(judged(pruned).findings).toEqual([]);
  change(pruned.path, sql(pruned));
  const { state, findings } = judged(pruned);
  expect(state).toBe("broken");
  const found = findings.map(({ code }) => code);
  for (const code of codes) expect(found, JSON.stringify(findings)).toContain(code);
});

test("a range's subtrees are nodes of the tree: aligned ones fold to the root", () => {
  const leaves = Array.from({ length: 64 }, (_, index) => index.toString(16).padStart(64, "0"));
  expect(subtreeRoots(0, leaves)).toEqual([rootOf(leaves)]);
  expect(subtreeRoots(0, leaves.slice(0, 40))).toEqual([rootOf(leaves.slice(0, 32)), rootOf(leaves.slice(32, 40))]);
  expect(subtreeRoots(24, leaves.slice(24, 64))).toEqual([rootOf(leaves.slice(24, 32)), rootOf(leaves.slice(32, 64))]);
  expect(subtreeRoots(5, leaves.slice(5, 9))).toEqual([leaves[5], rootOf(leaves.slice(6, 8)), leaves[8]]);
});

/** Bytes of a row, or of its sealed content, that stand nowhere by chance: a nonce is among them. */
interface Sample {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

/** What tells each row and each part of a log from all others. */
function samplesOf(path: string): Sample[] {
  const database = new Database(path, { readonly: true });
  try {
    const bodies = database.prepare<[], { seq: number; body: string }>("SELECT seq, body FROM entry").all();
    const parts = database.prepare<[], { id: number; sealed: Buffer }>("SELECT id, sealed FROM content").all();
    return [
      ...bodies.map(({ seq, body }) => ({ seq, bytes: Buffer.from(/"nonce":"([0-9a-f]{32})"/.exec(body)?.[1] ?? "") })),
      ...parts.map(({ id, sealed }) => {
        const from = 1 + (sealed[0] ?? 0);
        return { seq: Math.floor(id / 16), bytes: sealed.subarray(from, from + 40) };
      }),
    ];
  } finally {
    database.close();
  }
}

function foundOfThem(path: string, samples: readonly Sample[]): number {
  const files = [path, `${path}-wal`].map((file) => readFileSync(file));
  return samples.filter(({ bytes }) => files.some((file) => file.includes(bytes))).length;
}

/** Layouts in which something was found of what had only been deleted. */
test.for([8, 16, 18, 21])(
  "what is pruned is nowhere in the raw bytes of the file, however its pages are moved about by that: layout %i",
  async (seed) => {
    const begun = await beginLog(ownFolder());
    const { log, path } = begun;
    let random = seed;
    const texts = Array.from({ length: 240 }, (_, nth) => {
      random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
      return "a word ".repeat(1 + ((random >> 8) % (nth % 10 === 0 ? 900 : 60)));
    });
    // A few at a time, as they come while much is going on.
    for (let at = 0; at < texts.length; at += 8)
      await Promise.all(
        texts.slice(at, at + 8).map(async (text, nth) => {
          const [principal, conversation, session] = [anId("p"), anId("c"), anId("s")];
          await log.append(
            { kind: "message.received", message: anId("m"), session, conversation, channel: "slack", principal },
            { cause: null, seal: session, content: { text, platform: `${at + nth}` } },
          );
        }),
      );
    // What lies before the checkpoint before the newest may go.
    for (let nth = 0; nth < 2; nth++) await log.checkpoint("demand");
    // Some stay between those that go, many here and few there.
    const stays = (seq: number): boolean => (seq * 2_654_435_761) % 4_096 < 4_096 * (seed / 50);
    const samples = samplesOf(path);
    const before = 200;
    await log.removal.prune({ before, held: ({ seq }) => stays(seq), cause: null, ...BY });
    await log.removal.truncate();
    const emptied = new Set(stored(path).flatMap(({ seq, body }) => (body === "" ? [seq] : [])));
    expect(emptied.size).toBeGreaterThan(50);
    const gone = samples.filter(({ seq }) => emptied.has(seq));
    const kept = samples.filter(({ seq }) => !emptied.has(seq));
    expect(foundOfThem(path, kept)).toBe(kept.length);
    expect(foundOfThem(path, gone)).toBe(0);
    await log.close();
  },
);
