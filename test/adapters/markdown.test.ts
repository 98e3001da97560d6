import * as fc from "fast-check";
import { expect, test } from "vitest";
import { markdown } from "../../adapters/markdown.ts";
import { plainText, type Span } from "../../adapters/spans.ts";

/** `b` bold, `i` italic, `s` strike, `c` code, `q` quote, `p` block of code, `l` link: what each stretch of the text is. */
function looks(spans: readonly Span[]): [string, string][] {
  return spans.map((one) => [
    [
      one.bold ? "b" : "",
      one.italic ? "i" : "",
      one.strike ? "s" : "",
      one.code ? "c" : "",
      one.quote ? "q" : "",
      one.pre === null ? "" : `p${one.pre}`,
      one.link ? "l" : "",
    ].join(""),
    one.text,
  ]);
}

test.for<[string, [string, string][]]>([
  ["plain", [["", "plain"]]],
  [
    "**b** _i_ ~~s~~ `c`",
    [
      ["b", "b"],
      ["", " "],
      ["i", "i"],
      ["", " "],
      ["s", "s"],
      ["", " "],
      ["c", "c"],
    ],
  ],
  ["***both***", [["bi", "both"]]],
  [
    "**a *b* c**",
    [
      ["b", "a "],
      ["bi", "b"],
      ["b", " c"],
    ],
  ],
  ["snake_case_name 2 * 3 * 4", [["", "snake_case_name 2 * 3 * 4"]]],
  ["*not closed", [["", "*not closed"]]],
  [
    "**bold*",
    [
      ["", "*"],
      ["i", "bold"],
    ],
  ],
  ["\\*literal\\*", [["", "*literal*"]]],
  ["`` a`b ``", [["c", "a`b"]]],
  ["`open", [["", "`open"]]],
  ["**`x`**", [["c", "x"]]],
  ["# Title", [["b", "Title"]]],
  [
    "- a\n- b",
    [
      ["", "• a"],
      ["", "\n"],
      ["", "• b"],
    ],
  ],
  [
    "1. a\n2) b",
    [
      ["", "1. a"],
      ["", "\n"],
      ["", "2) b"],
    ],
  ],
  [
    "- [ ] a\n- [x] b",
    [
      ["", "• ☐ a"],
      ["", "\n"],
      ["", "• ☑ b"],
    ],
  ],
  [
    "> a\n> **b**\nc",
    [
      ["q", "a\n"],
      ["bq", "b"],
      ["", "\nc"],
    ],
  ],
  ["---", [["", "──────────"]]],
  ["```ts\nlet a = **1**;\n```", [["pts", "let a = **1**;"]]],
  ["```\nnever closed", [["p", "never closed"]]],
  ["~~~~word", [["", "~~~~word"]]],
  ["a\n```word\n\n", [["", "a\n```word"]]],
  ["~~~\n```\n~~~", [["p", "```"]]],
  [
    "a\n```\nx\n```\nb",
    [
      ["", "a\n"],
      ["p", "x"],
      ["", "\nb"],
    ],
  ],
  ["| a | b |\n|---|---|\n| 1 | 2 |", [["p", "| a | b |\n|---|---|\n| 1 | 2 |"]]],
  [
    "see https://example.org/a_b.",
    [
      ["", "see "],
      ["l", "https://example.org/a_b"],
      ["", "."],
    ],
  ],
  [
    "(https://example.org/a_(b))",
    [
      ["", "("],
      ["l", "https://example.org/a_(b)"],
      ["", ")"],
    ],
  ],
  [
    "[site](https://example.org)",
    [
      ["", "site ("],
      ["l", "https://example.org"],
      ["", ")"],
    ],
  ],
  [
    "[https://good.example](https://evil.example)",
    [
      ["", "https://good.example ("],
      ["l", "https://evil.example"],
      ["", ")"],
    ],
  ],
  ["<https://example.org>", [["l", "https://example.org"]]],
  ["[x](javascript:alert(1))", [["", "x (javascript:alert(1))"]]],
  ["<b>html</b>", [["", "<b>html</b>"]]],
  [
    "a\r\n\r\n\r\n\r\nb\n",
    [
      ["", "a"],
      ["", "\n"],
      ["", "\n"],
      ["", "b"],
    ],
  ],
])("%j reads the same and looks as meant", ([source, expected]) => {
  const merged: [string, string][] = [];
  const reference: [string, string][] = [];
  for (const [from, to] of [
    [looks(markdown(source)), merged],
    [expected, reference],
  ] as const) {
    for (const [look, text] of from) {
      const last = to.at(-1);
      if (last?.[0] === look) last[1] += text;
      else to.push([look, text]);
    }
  }
  expect(merged).toEqual(reference);
});

test("text with no marks in it stays what it was", () => {
  const word = fc.stringMatching(/^[a-zA-Z0-9äöü,.?€😀]{1,12}$/u);
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), (words) => {
      fc.pre(!/^\d+[.)]$/.test(words[0] ?? ""));
      const text = words.join(" ");
      expect(plainText(markdown(text))).toBe(text);
    }),
  );
});

function letters(text: string): string {
  return Array.from(text)
    .filter((char) => /[\p{L}\p{N}]/u.test(char))
    .toSorted()
    .join("");
}

test("no text makes it throw, lose a letter or digit, or take letters apart", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "*",
      "**",
      "_",
      "~~",
      "`",
      "```",
      "\n",
      "> ",
      "# ",
      "- ",
      "[",
      "](",
      ")",
      "<",
      ">",
      "|",
      "\\",
      "https://a.b/",
      " ",
    ),
    fc.string({ unit: "grapheme", maxLength: 6 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const source = pieces.join("");
      const shown = plainText(markdown(source));
      expect(shown.isWellFormed()).toBe(source.isWellFormed());
      // A fence's language, and what says how a link or a box is meant, are not shown.
      fc.pre(!/```|~~~/.test(source) && !source.includes("](") && !/\[[ xX]\]/.test(source));
      expect(letters(shown)).toBe(letters(source));
    }),
    { numRuns: 500 },
  );
});

test.for([
  "*".repeat(200_000),
  "`a".repeat(60_000),
  "[a](".repeat(40_000),
  "**a ".repeat(50_000),
  "> ".repeat(50_000),
  "_a*".repeat(50_000),
  "|\n".repeat(50_000),
  "https://a.b ".repeat(20_000),
])("a hostile text is read in time", (source) => {
  const began = performance.now();
  markdown(source);
  expect(performance.now() - began).toBeLessThan(5_000);
});
