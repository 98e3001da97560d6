import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod/mini";
import { canonical, isCanonical } from "../../audit/canonical.ts";

const Vectors = z.object({
  objects: z.array(
    z.object({
      why: z.string(),
      input: z.string(),
      canonical: z.optional(z.string()),
      order: z.optional(z.array(z.string())),
    }),
  ),
  numbers: z.array(z.object({ ieee754: z.string(), json: z.string() })),
  refused: z.array(z.object({ ieee754: z.string(), why: z.string() })),
});
const vectors = Vectors.parse(JSON.parse(readFileSync(new URL("../vectors/rfc8785.json", import.meta.url), "utf8")));

function double(hex: string): number {
  return Buffer.from(hex, "hex").readDoubleBE();
}

describe("the examples of RFC 8785", () => {
  test.for(vectors.numbers)("$ieee754 is written $json", ({ ieee754, json }) => {
    expect(canonical(double(ieee754))).toBe(json);
  });
  test.for(vectors.refused)("$ieee754 is refused: $why", ({ ieee754 }) => {
    expect(() => canonical(double(ieee754))).toThrow("no canonical form");
  });
  test("literals, numbers and strings have one spelling", () => {
    const [vector] = vectors.objects;
    // The RFC's 1E30 is an integer that a double does not hold exactly: ours refuses it, and writes the rest as the RFC does.
    const input = String(vector?.input).replace("1E30", "1.5");
    expect(canonical(JSON.parse(input))).toBe(String(vector?.canonical).replace("1e+30", "1.5"));
  });
  test("keys stand in the order of their UTF-16 units", () => {
    const vector = vectors.objects[1];
    const line = canonical(JSON.parse(String(vector?.input)));
    const places = (vector?.order ?? []).map((text) => line.indexOf(`:"${text}"`));
    expect(places).toEqual(places.toSorted((one, other) => one - other));
    expect(places).not.toContain(-1);
  });
});

const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().filter((n) => !Object.is(n, -0)),
    fc
      .double({ noNaN: true, noDefaultInfinity: true })
      .filter((n) => !Object.is(n, -0) && (!Number.isInteger(n) || Number.isSafeInteger(n))),
    fc.string({ unit: "binary" }),
    fc.array(tie("value")),
    fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { noNullPrototype: true }),
  ),
})).value;

test("what is written reads back as what it was, and is its own canonical form", () => {
  fc.assert(
    fc.property(value, (original) => {
      const line = canonical(original);
      expect(JSON.parse(line)).toEqual(original);
      expect(isCanonical(line)).toBe(true);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test("the order in which keys were set does not matter", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(
        fc.string({ minLength: 1 }).filter((key) => key !== "__proto__"),
        { maxLength: 12 },
      ),
      (keys) => {
        const forward = Object.fromEntries(keys.map((key) => [key, 1]));
        const backward = Object.fromEntries(keys.toReversed().map((key) => [key, 1]));
        expect(canonical(forward)).toBe(canonical(backward));
      },
    ),
    { seed: 2, numRuns: 300 },
  );
});

test("`#` stands before `$`, and `$` before letters and digits", () => {
  expect(canonical({ a: 1, "0": 1, $at: 1, "#prev": 1, Z: 1 })).toBe('{"#prev":1,"$at":1,"0":1,"Z":1,"a":1}');
});

test.for<[string, unknown]>([
  ["undefined", undefined],
  ["a field that is undefined", { a: undefined }],
  ["a hole", [1, , 3]], // oxlint-disable-line no-sparse-arrays
  ["a BigInt", 1n],
  ["a date", new Date(0)],
  ["a map", new Map()],
  ["bytes", new Uint8Array(1)],
  ["a function", () => 1],
  ["half a surrogate pair", "\ud83d"],
  ["half a surrogate pair in a key", { "\udc00": 1 }],
  ["a symbol for a key", { [Symbol("a")]: 1 }],
])("%s is refused", ([, refused]) => {
  expect(() => canonical(refused)).toThrow("no canonical form");
});

test("what is nested without end is refused, not overflowed", () => {
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level++) deep = [deep];
  expect(() => canonical(deep)).toThrow("nested");
});

test.for([
  '{"a":1,"a":1}',
  '{"a": 1}',
  '{"b":1,"a":1}',
  '{"a":1.0}',
  '{"a":"\\u0041"}',
  '{"a":1e0}',
  "not json",
  '{"a":-0}',
])("%s is not in canonical form", (line) => {
  expect(isCanonical(line)).toBe(false);
});
