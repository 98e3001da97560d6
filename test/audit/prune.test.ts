import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { bodyStays } from "../../audit/prune.ts";
import { rootOf } from "../../audit/merkle.ts";
import { subtreeRoots } from "../../audit/subtrees.ts";
import { sentences, type Verdict, verifySync } from "../../audit/verify.ts";
import { anId, healthyLog, recordTurn, reopen, type TestLog } from "../support/audit-fixture.ts";
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
