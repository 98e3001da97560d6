import * as fc from "fast-check";
import { expect, test } from "vitest";
import { split } from "../../adapters/split.ts";

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

test("the parts of a text are within the limit, whole in their letters, and joined they are the text", () => {
  const piece = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 40 }),
    fc.constantFrom(" ", "\n", "\n\n", ". ", "👩‍👩‍👧‍👦", "e\u0301", "🇩🇪", "\r\n"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), fc.integer({ min: 40, max: 90 }), (pieces, limit) => {
      const text = pieces.join("");
      const parts = split(text, limit);
      expect(parts.join("")).toBe(text);
      const starts = new Set([...graphemes.segment(text)].map((one) => one.index));
      const longest = Math.max(0, ...[...graphemes.segment(text)].map((one) => one.segment.length));
      let at = 0;
      for (const part of parts) {
        expect(part.length).toBeLessThanOrEqual(limit);
        expect(starts.has(at) || longest > limit || text === "").toBe(true);
        at += part.length;
      }
    }),
    { numRuns: 500 },
  );
});

function cost(unit: number): number {
  return unit === 0x26 ? 5 : 1;
}

test("a cost per character is kept to", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom("&", "a", " ", "😀"), { maxLength: 200 }), (chars) => {
      for (const part of split(chars.join(""), 20, cost)) {
        let sum = 0;
        for (let i = 0; i < part.length; i++) sum += cost(part.charCodeAt(i));
        expect(sum).toBeLessThanOrEqual(20);
      }
    }),
  );
});

test.for([
  { what: "between paragraphs", text: `${"a".repeat(60)}\n\n${"b ".repeat(30)}`, first: `${"a".repeat(60)}\n\n` },
  { what: "between lines", text: `${"a".repeat(60)}\n${"b ".repeat(30)}`, first: `${"a".repeat(60)}\n` },
  { what: "between sentences", text: `${"a".repeat(60)}. ${"b ".repeat(30)}`, first: `${"a".repeat(60)}. ` },
  { what: "between words", text: `${"a".repeat(60)} ${"b".repeat(60)}`, first: `${"a".repeat(60)} ` },
  { what: "where it must be", text: "a".repeat(150), first: "a".repeat(100) },
])("a text is cut $what", ({ text, first }) => {
  expect(split(text, 100)[0]).toBe(first);
});

test("a short text is one part, an empty one too", () => {
  expect(split("abc", 3)).toEqual(["abc"]);
  expect(split("", 3)).toEqual([""]);
});

test("a letter longer than the limit is cut between code points", () => {
  const zalgo = `a${"\u0301".repeat(500)}`;
  expect(split(zalgo, 100).join("")).toBe(zalgo);
  expect(split("😀".repeat(3), 3)).toEqual(["😀", "😀", "😀"]);
  expect(() => split("😀", 1)).toThrow(RangeError);
});
