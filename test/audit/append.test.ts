import { expect, test } from "vitest";
import { AuditError } from "../../audit/error.ts";
import type { CommittedRow } from "../../audit/row.ts";
import { verifySync } from "../../audit/verify.ts";
import { BATCH_BYTES, BATCH_ROWS } from "../../audit/writer.ts";
import { anId, beginLog, type TestLog } from "../support/audit-fixture.ts";
import { ownFolder } from "../support/folder.ts";

/** What was submitted at once, and how many transactions it took. */
async function commitsOf(made: TestLog, submit: () => Promise<unknown>[]): Promise<number> {
  let commits = 0;
  const end = made.log.watch(() => (commits += 1));
  await Promise.all(submit());
  end();
  return commits;
}

function says(made: TestLog, text: string, session = anId("s")): Promise<unknown> {
  const [message, conversation, principal] = [anId("m"), anId("c"), anId("p")];
  return made.log.append(
    { kind: "message.received", message, session, conversation, channel: "slack", principal },
    { cause: null, seal: session, content: { text, platform: "1" } },
  );
}

const times = <T>(count: number, one: (nth: number) => T): T[] => Array.from({ length: count }, (_, nth) => one(nth));

test.for<[rows: number, transactions: number]>([
  [1, 1],
  [2, 1],
  [BATCH_ROWS, 1],
  [BATCH_ROWS + 1, 2],
  [3 * BATCH_ROWS, 3],
])("%i rows that come at once take %i transactions", async ([rows, transactions]) => {
  const made = await beginLog(ownFolder());
  expect(await commitsOf(made, () => times(rows, (nth) => says(made, `word ${nth}`)))).toBe(transactions);
  await made.log.close();
});

test("rows that come one after the other have each their own", async () => {
  const made = await beginLog(ownFolder());
  let commits = 0;
  made.log.watch(() => (commits += 1));
  for (let nth = 0; nth < 3; nth += 1) await says(made, "a word");
  expect(commits).toBe(3);
  await made.log.close();
});

test("large content is spread over transactions, and what is larger than one has it alone", async () => {
  const made = await beginLog(ownFolder());
  const half = "x".repeat(BATCH_BYTES / 2);
  expect(await commitsOf(made, () => times(4, () => says(made, half)))).toBeGreaterThanOrEqual(2);
  expect(await commitsOf(made, () => [says(made, half + half + half)])).toBe(1);
  await made.log.close();
});

test("what cannot be sealed is recorded by nobody, and takes nothing with it that came at the same time", async () => {
  const made = await beginLog(ownFolder());
  const [gone, kept] = [anId("s"), anId("s")];
  await says(made, "before", gone);
  made.sealer.erase(gone);
  const size = made.log.size;
  const settled = await Promise.allSettled([
    says(made, "first", kept),
    says(made, "not this", gone),
    says(made, "last", kept),
  ]);
  expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(settled[1]).toMatchObject({ reason: { name: "AuditError", code: "AUDIT_UNSEALED" } });
  expect(made.log.size).toBe(size + 2);
  expect(made.log.stopped).toBeNull();
  await made.log.close();
  expect(verifySync(made.path, { vkey: made.signer.vkey, scratch: ownFolder() })).toMatchObject({ state: "good" });
});

test("a follower has every row once and in order: those that were there, and each new one before its recorder is told", async () => {
  const made = await beginLog(ownFolder());
  await says(made, "there already");
  const heard: number[] = [];
  made.log.follow(0, (row) => heard.push(row.seq));
  expect(heard).toEqual(times(made.log.size - 1, (nth) => nth + 1));
  await Promise.all(
    times(3, async (nth) => {
      await says(made, `new ${nth}`);
      expect(heard).toHaveLength(made.log.size - 1);
    }),
  );
  expect(heard).toEqual(times(made.log.size - 1, (nth) => nth + 1));
  await made.log.close();
});

test("a follower has the content of a new row, and its own copy of it", async () => {
  const made = await beginLog(ownFolder());
  const rows: CommittedRow[] = [];
  made.log.follow(made.log.size - 1, (row) => rows.push(row));
  await says(made, "a word");
  rows[0]?.bytes("text")?.fill(0);
  expect(rows[0]?.content("text")).toBe("a word");
  await made.log.close();
});

test("where a follower fails its recorder is told that the row is on the log, and the follower gets it with the next", async () => {
  const made = await beginLog(ownFolder());
  const heard: number[] = [];
  let fails = true;
  made.log.follow(made.log.size - 1, (row) => {
    if (fails) throw new Error("the projection is full");
    heard.push(row.seq);
  });
  const first = made.log.size;
  const failure: unknown = await says(made, "one").catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AuditError);
  expect(failure).toMatchObject({ code: "AUDIT_BEHIND", cause: { message: "the projection is full" } });
  expect(made.log.row(first)?.action.kind).toBe("message.received");
  fails = false;
  await says(made, "two");
  expect(heard).toEqual([first, first + 1]);
  await made.log.close();
});
