import Database from "better-sqlite3";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { PATIENCE_MS, Spine } from "../support/spine.ts";

const STRANGERS = 300;
const MESSAGES = 5_000;
/** evidence.md §1: rows of refusals on one channel in an hour; then one `refused.flood`. */
const AN_HOUR = 600;
/** Strangers who wait for an approval at once. */
const PENDING = 20;
/** Rows that a stranger's one pairing code is: a key of their own, so that they can be erased, and that it was made; the request, the
 *  conversation, the message and what became of it. */
const ROWS_OF_A_CODE = 6;

const Body = z.looseObject({ $kind: z.string(), channel: z.optional(z.string()), times: z.optional(z.number()) });

let spine: Spine;

beforeAll(async () => {
  spine = await Spine.start();
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

/** Every row of the file itself, whoever wrote it. */
function bodies(): z.infer<typeof Body>[] {
  const database = new Database(join(spine.daemon.data, "audit.db"), { readonly: true });
  try {
    const rows: unknown[] = database.prepare("SELECT body FROM entry ORDER BY seq").pluck().all();
    return rows.map((body) => Body.parse(JSON.parse(String(body))));
  } finally {
    database.close();
  }
}

function stranger(index: number): { id: number; name: string } {
  return { id: 10_000 + index, name: `Test Stranger ${index}` };
}

async function takenIn(): Promise<void> {
  await spine.eventually("everything taken in", () => spine.telegram.pending === 0, 60_000);
}

test("every message of a paired person is a row: the count detects", async () => {
  const before = bodies().filter(({ $kind }) => $kind === "message.received").length;
  for (const word of ["one", "two", "three"]) spine.write(word);
  for (const word of ["one", "two", "three"]) await spine.shown(`you said: ${word}`);
  expect(bodies().filter(({ $kind }) => $kind === "message.received")).toHaveLength(before + 3);
});

test("5,000 messages of 300 strangers are a few hundred rows, and nobody who is paired waits for them", async () => {
  const before = bodies().length;
  // Telegram tells the first answer to a stranger to wait: that holds up nobody else.
  spine.telegram.mishaps.push({
    method: "sendMessage",
    status: 429,
    body: { description: "Too Many Requests: retry after 120", parameters: { retry_after: 120 } },
  });
  for (let at = 0; at < MESSAGES / 2; at += 1) spine.write(`let me in ${at}`, stranger(at % STRANGERS));
  const asked = performance.now();
  spine.write("are you there?");
  for (let at = MESSAGES / 2; at < MESSAGES; at += 1) spine.write(`let me in ${at}`, stranger(at % STRANGERS));
  await spine.shown("you said: are you there?");
  const waited = performance.now() - asked;
  await takenIn();

  const rows = bodies().slice(before);
  const refused = rows.filter(({ $kind }) => $kind === "message.refused");
  expect(refused).toHaveLength(STRANGERS);
  expect(rows.filter(({ $kind }) => $kind === "pair.requested")).toHaveLength(PENDING);
  // The rest is the owner's own message and its answer.
  expect(rows.length).toBeLessThan(STRANGERS + PENDING * ROWS_OF_A_CODE + 30);
  expect(waited).toBeLessThan(PATIENCE_MS / 2);
});

test("beyond 600 rows an hour one row says that there are more", async () => {
  const others = 2 * STRANGERS;
  for (let at = 0; at < others; at += 1) spine.write("and me", stranger(1_000 + at));
  await takenIn();
  const rows = bodies();
  expect(rows.filter(({ $kind }) => $kind === "message.refused")).toHaveLength(AN_HOUR);
  expect(rows.filter(({ $kind }) => $kind === "refused.flood")).toHaveLength(1);
  spine.write("still there?");
  await spine.shown("you said: still there?");
});

test("every refusal was counted, and the record verifies", async () => {
  const verdict = await spine.verified();
  expect(verdict.status, verdict.stdout + verdict.stderr).toBe(0);
  expect(await spine.stop()).toBe(0);
  const counted = bodies()
    .filter(({ $kind }) => $kind === "message.refused" || $kind === "refused.flood")
    .reduce((sum, { times = 0 }) => sum + times, 0);
  expect(counted).toBe(MESSAGES + 2 * STRANGERS - PENDING);
  expect(bodies().filter(({ $kind }) => $kind === "message.refused")).toHaveLength(AN_HOUR);
});
