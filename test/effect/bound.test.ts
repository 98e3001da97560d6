import fc from "fast-check";
import { expect, test } from "vitest";
import { boundText } from "../../src/effect/bound.ts";

test("a text that fits is as it was", () => {
  expect(boundText("grüße", 7)).toBe("grüße");
});

test("a text that is too long is cut in the middle, and says how much", () => {
  const text = boundText("a".repeat(500) + "b".repeat(500), 200);
  expect(text).toMatch(/^a+\n\[… \d+ bytes left out …\]\nb+$/);
  const left = Number(/\d+/.exec(text)?.[0]);
  expect(text.match(/[ab]/g)?.filter((letter) => letter === "a" || letter === "b").length).toBeGreaterThan(0);
  expect(left + (text.match(/^a+|b+$/gm) ?? []).join("").length).toBe(1000);
});

test("what was missing in its middle before is counted with what is cut", () => {
  const text = boundText("a".repeat(500) + "b".repeat(500), 200, 1_000_000);
  const left = Number(/\d+/.exec(text)?.[0]);
  expect(left + (text.match(/^a+|b+$/gm) ?? []).join("").length).toBe(1_001_000);
});

test("it never takes more room than it has, and never cuts a character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 400 }), fc.integer({ min: 60, max: 300 }), (text, max) => {
      const bounded = boundText(text, max);
      expect(Buffer.byteLength(bounded)).toBeLessThanOrEqual(max);
      expect(bounded).not.toContain("\ufffd");
    }),
  );
});
