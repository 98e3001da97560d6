import { expect, test } from "vitest";
import { MAX_CURSOR } from "../../src/ipc/adapter-frames.ts";
import { Batch, decodeCursor, encodeCursor } from "../../adapters/telegram/cursor.ts";

const NOW = Date.UTC(2026, 10, 23);
const DAY = 86_400_000;

const at = (next: number, when: number): string => encodeCursor({ next, nextAt: when, askedAt: null, moved: [] });

test("a place to go on from is read back, with the groups that moved", () => {
  const place = {
    next: 1_234,
    nextAt: NOW,
    askedAt: NOW + DAY,
    moved: [[-5, -100_500] as const, [-6, -100_600] as const],
  };
  expect(decodeCursor(encodeCursor(place), NOW + 5 * DAY)).toEqual(place);
});

test("the place of an older version is read", () => {
  expect(decodeCursor(`1234@${NOW / 1_000}`, NOW)).toEqual({ next: 1_234, nextAt: NOW, askedAt: null, moved: [] });
});

test("two hundred groups that moved fit into what is saved", () => {
  const moved = Array.from({ length: 200 }, (_, i) => [-4_000_000_000 - i, -1_002_000_000_000 - i] as const);
  const cursor = encodeCursor({ next: 999_999_999, nextAt: NOW, askedAt: NOW, moved });
  expect(cursor.length).toBeLessThan(MAX_CURSOR);
  expect(decodeCursor(cursor, NOW).moved).toEqual(moved);
});

test.for([
  { what: "is older than Telegram keeps its numbering", cursor: at(1_234, NOW - 7 * DAY) },
  { what: "is of the future", cursor: at(1_234, NOW + 7 * DAY) },
  { what: "is none", cursor: null },
  { what: "is not ours", cursor: "1234" },
  { what: "is no number", cursor: "abc@1" },
])("a place that $what is not gone on from", ({ cursor }) => {
  expect(decodeCursor(cursor, NOW).next).toBeNull();
});

test("updates are confirmed up to the first that is not on the log", () => {
  const batch = new Batch([10, 11, 15]);
  expect(batch.take()).toBeNull();
  batch.done(2);
  expect(batch.take()).toBeNull();
  batch.done(0);
  expect(batch.take()).toBe(11);
  expect(batch.take()).toBeNull();
  batch.done(1);
  expect(batch.take()).toBe(16);
});
