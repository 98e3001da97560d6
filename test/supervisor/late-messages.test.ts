import { expect, test } from "vitest";
import { isLate, LATE_MS, readStill } from "../../src/supervisor/late-messages.ts";

test("a message is late from a quarter of an hour on, and never where nobody says when it was written", () => {
  const now = 1_700_000_000_000;
  expect(isLate(now - LATE_MS, now)).toBe(false);
  expect(isLate(now - LATE_MS - 1, now)).toBe(true);
  expect(isLate(now + 60_000, now)).toBe(false);
  expect(isLate(undefined, now)).toBe(false);
});

test.for([
  ["yes", "do"],
  [" Yes, please! ", "do"],
  ["OK", "do"],
  ["no", "drop"],
  ["No, thanks.", "drop"],
  ["never mind", "drop"],
  ["yes, but only the first one", null],
  ["no idea what you mean", null],
  ["now", null],
  ["", null],
] as const)("%j is read as %s", ([words, meant]) => {
  expect(readStill(words)).toBe(meant);
});
