import { expect, test } from "vitest";
import { pairs, table } from "../../src/cli/table.ts";

test("columns stand under their headings, and the last one is as long as it likes", () => {
  expect(
    table(
      ["who", "what"],
      [
        ["a", "b"],
        ["longer", "c d"],
      ],
    ),
  ).toBe("who     what\na       b\nlonger  c d");
});

test("wide characters take the room that a terminal gives them", () => {
  expect(
    table(
      ["who", "what"],
      [
        ["日本", "x"],
        ["🦀", "y"],
      ],
    ),
  ).toBe("who   what\n日本  x\n🦀    y");
});

test("a cell cannot steer the terminal or look like another row", () => {
  expect(table(["name"], [["a\u001b[2J\nb\u202ec"]])).toBe("name\na\\x1b[2J\\x0ab\\u{202e}c");
});

test("a value of several lines stays in its column", () => {
  expect(
    pairs([
      ["model", "a\nb"],
      ["log", "c"],
    ]),
  ).toBe("model  a\n       b\nlog    c");
});
