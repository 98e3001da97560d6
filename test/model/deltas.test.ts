import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Deltas } from "../../src/model/deltas.ts";

function collecting() {
  const pieces: string[] = [];
  const deltas = new Deltas((text) => {
    pieces.push(text);
    return Promise.resolve();
  });
  return { pieces, deltas };
}

test("the first piece goes out at once", async () => {
  const { pieces, deltas } = collecting();
  expect(deltas.streamed).toBe(false);
  await deltas.add("a");
  expect(pieces).toEqual(["a"]);
  expect(deltas.streamed).toBe(true);
});

test("ten thousand tokens become a few pieces", async () => {
  const { pieces, deltas } = collecting();
  for (let n = 0; n < 10_000; n++) await deltas.add("word ");
  await deltas.end();
  expect(pieces.join("")).toBe("word ".repeat(10_000));
  expect(pieces.length).toBeLessThan(100);
});

test("text that waits goes out by itself", async () => {
  const { pieces, deltas } = collecting();
  await deltas.add("a");
  await deltas.add("b");
  await expect.poll(() => pieces).toEqual(["a", "b"]);
});

test("a slow reader holds the writer back", async () => {
  const reading = Promise.withResolvers<void>();
  const deltas = new Deltas(() => reading.promise);
  const adding = deltas.add("a");
  const sooner = await Promise.race([
    adding.then(() => "added"),
    new Promise((resolve) => setTimeout(resolve, 20, "held")),
  ]);
  expect(sooner).toBe("held");
  reading.resolve();
  await adding;
});

test("whatever comes goes out in order, in pieces of at most 48 KiB, and no character is cut in two", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({ unit: "binary" }),
          fc.constantFrom("\ud83d", "\ude00", "x".repeat(40_000), "😀".repeat(9000)),
        ),
      ),
      async (texts) => {
        const { pieces, deltas } = collecting();
        for (const text of texts) await deltas.add(text);
        await deltas.end();
        const whole = texts.join("");
        expect(pieces.join("")).toBe(whole);
        const encoder = new TextEncoder();
        const sizes = pieces.map((piece) => encoder.encode(piece).length);
        expect(sizes.every((size) => size > 0 && size <= 49_152)).toBe(true);
        // A pair that is whole in the text is whole in its piece: else its bytes would be two replacement characters.
        expect(pieces.map((piece) => new TextDecoder().decode(encoder.encode(piece))).join("")).toBe(
          whole.toWellFormed(),
        );
      },
    ),
    { numRuns: 60, seed: 7 },
  );
});
