import { expect, test } from "vitest";
import { Batch, decodeCursor, encodeCursor } from "../../adapters/telegram/cursor.ts";

const NOW = Date.UTC(2026, 10, 23);
const DAY = 86_400_000;

test("a place to go on from is read back", () => {
  expect(decodeCursor(encodeCursor(1_234, NOW), NOW + 5 * DAY)).toBe(1_234);
});

test.for([
  { what: "is older than Telegram keeps its numbering", cursor: encodeCursor(1_234, NOW - 7 * DAY) },
  { what: "is of the future", cursor: encodeCursor(1_234, NOW + 7 * DAY) },
  { what: "is none", cursor: null },
  { what: "is not ours", cursor: "1234" },
  { what: "is no number", cursor: "abc@1" },
])("a place that $what is not gone on from", ({ cursor }) => {
  expect(decodeCursor(cursor, NOW)).toBeNull();
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
