import { expect, test } from "vitest";
import type { RowView } from "../../src/ipc/audit-calls.ts";
import { bounded, followRows, searchRows } from "../../src/supervisor/row-search.ts";
import { newWorld, type World } from "./world.ts";

/** Rows of a real log as the owner is given them. */

const never = new AbortController().signal;

async function loaded(world: World, times: number, text: string): Promise<void> {
  await Promise.all(
    Array.from({ length: times }, () =>
      world.log.append({ kind: "config.loaded" }, { cause: null, content: { text } }),
    ),
  );
}

test("an answer holds no more than a frame takes, and says where to go on", async () => {
  const world = await newWorld();
  await loaded(world, 60, "x".repeat(16_000));
  const seen: number[] = [];
  let answers = 0;
  for (let before: number | null = null, more = true; more; answers++) {
    const place = before === null ? {} : { before };
    const answer = await searchRows(world.log, { kind: "config.loaded", limit: 1000, ...place }, never);
    expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(1_048_576);
    seen.push(...answer.rows.map(({ seq }) => seq));
    before = answer.next;
    more = before !== null;
  }
  expect(answers).toBeGreaterThan(1);
  expect(seen).toHaveLength(60);
  expect(new Set(seen).size).toBe(60);
});

test("of large content a list shows the beginning, and how much more there is; one row alone shows all of it", async () => {
  const world = await newWorld();
  const text = `${"\u{1f600}".repeat(10_000)}end`;
  await loaded(world, 2, text);
  const list = await searchRows(world.log, { kind: "config.loaded", limit: 10 }, never);
  expect(list.rows[0]?.content["text"]).toMatch(/… \(3619 more characters\)$/);
  const [row] = (await searchRows(world.log, { kind: "config.loaded", limit: 1 }, never)).rows;
  expect(row?.content["text"]).toBe(text);
  await loaded(world, 1, "y".repeat(2_000_000));
  const large = await searchRows(world.log, { limit: 1, kind: "config.loaded" }, never);
  expect(large.rows[0]?.content["text"]).toContain("more characters)");
});

test("a story of many rows with much content fits too", async () => {
  const world = await newWorld();
  await loaded(world, 80, "z".repeat(20_000));
  const rows = world.log.rows({ kind: "config.loaded", limit: 1000 });
  const views = bounded(rows);
  expect(views).toHaveLength(80);
  expect(Buffer.byteLength(JSON.stringify(views))).toBeLessThan(1_048_576);
  expect(bounded(rows.slice(0, 2))[0]?.content["text"]).toMatch(/^z{16384}…/);
});

test("whoever follows is given what fits from where they were, then each new row, until they go away", async () => {
  const world = await newWorld();
  await loaded(world, 3, "before");
  const from = world.log.size - 2;
  const gone = new AbortController();
  const given: RowView[] = [];
  const following = followRows(world.log, from, { kind: "config.loaded" }, (row) => given.push(row), gone.signal);
  await expect.poll(() => given.map(({ seq }) => seq)).toEqual([from + 1]);
  await world.log.append({ kind: "config.refused" }, { cause: null });
  await loaded(world, 450, "after");
  await expect.poll(() => given.length).toBe(451);
  expect(given.map(({ seq }) => seq)).toEqual(given.map(({ seq }) => seq).toSorted((a, b) => a - b));
  expect(given.every(({ kind }) => kind === "config.loaded")).toBe(true);
  gone.abort();
  await following;
  await loaded(world, 1, "nobody listens");
  expect(given).toHaveLength(451);
});
