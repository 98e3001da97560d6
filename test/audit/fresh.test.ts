import { expect, test } from "vitest";
import { fresh } from "../../audit/fresh.ts";

test("no two rows are given the same random bytes, whatever is left of those that were asked for at once", () => {
  const lengths = [16, 32, 1_000, 24, 1_024, 1, 0, 31];
  const given = Array.from({ length: 4_000 }, (_, at) => fresh(lengths[at % lengths.length] ?? 16));
  expect(given.every((bytes, at) => bytes.length === lengths[at % lengths.length])).toBe(true);
  const long = given.filter(({ length }) => length >= 16).map((bytes) => Buffer.from(bytes).toString("hex"));
  expect(new Set(long).size).toBe(long.length);
  // Whatever had not been filled, or was given after it was wiped, would be zeros: of 16 random bytes no eight in a row are.
  expect(long.filter((hex) => hex.includes("0".repeat(16)))).toEqual([]);
});

test("what was given is the receiver's alone, and more than there are at once is refused", () => {
  const first = fresh(32);
  expect(first.buffer.byteLength).toBe(32);
  expect(() => fresh(1_025)).toThrow(RangeError);
});
