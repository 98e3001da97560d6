import * as fc from "fast-check";
import { expect, test } from "vitest";
import { type Block, finalBlocks, type Inline, parse, parseBlocks } from "../../src/web/page/markdown.ts";

const text = (value: string): Inline => ({ kind: "text", text: value });
const paragraph = (...inline: Inline[]): Block => ({ kind: "paragraph", inline });

test.for<[string, Block[]]>([
  ["plain", [paragraph(text("plain"))]],
  ["one\ntwo\n\nthree", [paragraph(text("one"), { kind: "break" }, text("two")), paragraph(text("three"))]],
  ["## A title ##", [{ kind: "heading", level: 2, inline: [text("A title")] }]],
  ["#hashtag", [paragraph(text("#hashtag"))]],
  [
    "**bold** and *soft*",
    [
      paragraph({ kind: "strong", inline: [text("bold")] }, text(" and "), {
        kind: "emphasis",
        inline: [text("soft")],
      }),
    ],
  ],
  [
    "**a *b* c**",
    [paragraph({ kind: "strong", inline: [text("a "), { kind: "emphasis", inline: [text("b")] }, text(" c")] })],
  ],
  ["snake_case_name and 2 * 3 * 4", [paragraph(text("snake_case_name and 2 * 3 * 4"))]],
  ["~~gone~~", [paragraph({ kind: "struck", inline: [text("gone")] })]],
  ["a `code **x**` b", [paragraph(text("a "), { kind: "code", text: "code **x**" }, text(" b"))]],
  ["`` a`b ``", [paragraph({ kind: "code", text: "a`b" })]],
  ["\\*not\\*", [paragraph(text("*not*"))]],
  [
    "```sh\nls\n\n# no title\n```\nafter",
    [{ kind: "code", language: "sh", text: "ls\n\n# no title" }, paragraph(text("after"))],
  ],
  ["```\nnever closed", [{ kind: "code", language: "", text: "never closed" }]],
  ["> said\n> so", [{ kind: "quote", blocks: [paragraph(text("said"), { kind: "break" }, text("so"))] }]],
  [
    "- a\n- b\n  more\n",
    [
      {
        kind: "list",
        start: null,
        items: [[paragraph(text("a"))], [paragraph(text("b"), { kind: "break" }, text("more"))]],
      },
    ],
  ],
  [
    "3. a\n   - inner\n4. b",
    [
      {
        kind: "list",
        start: 3,
        items: [
          [paragraph(text("a")), { kind: "list", start: null, items: [[paragraph(text("inner"))]] }],
          [paragraph(text("b"))],
        ],
      },
    ],
  ],
  ["born in\n1986. A year", [paragraph(text("born in"), { kind: "break" }, text("1986. A year"))]],
  ["---", [{ kind: "rule" }]],
  [
    "| a | b |\n|---|:-:|\n| 1 | x\\|y |\nafter",
    [
      { kind: "table", head: [[text("a")], [text("b")]], rows: [[[text("1")], [text("x|y")]]] },
      paragraph(text("after")),
    ],
  ],
  ["a | b", [paragraph(text("a | b"))]],
  [
    "[here](https://example.org/a?b=c)",
    [paragraph({ kind: "link", inline: [text("here")], url: "https://example.org/a?b=c" })],
  ],
  [
    "![pixel](https://example.org/p.png)",
    [paragraph({ kind: "image", inline: [text("pixel")], url: "https://example.org/p.png" })],
  ],
  ["[x](javascript:alert(1))", [paragraph({ kind: "link", inline: [text("x")], url: "javascript:alert(1)" })]],
  ["<img src=x onerror=alert(1)>", [paragraph(text("<img src=x onerror=alert(1)>"))]],
  ["https://example.org is text", [paragraph(text("https://example.org is text"))]],
])("%j", ([source, blocks]) => {
  expect(parse(source)).toEqual(blocks);
});

const markdownish = fc
  .array(
    fc.constantFrom(
      "*",
      "**",
      "_",
      "`",
      "```",
      "~~",
      "[",
      "](",
      ")",
      "!",
      "\\",
      "#",
      "- ",
      "1. ",
      "> ",
      "|",
      "|---|",
      "\n",
      "\n\n",
      "  ",
      "<b>",
      "a",
      "é",
      "word ",
    ),
    { maxLength: 120 },
  )
  .map((parts) => parts.join(""));

function* leaves(blocks: readonly Block[]): Generator<string> {
  for (const block of blocks) {
    if (block.kind === "code") yield block.text;
    else if (block.kind === "list") for (const item of block.items) yield* leaves(item);
    else if (block.kind === "quote") yield* leaves(block.blocks);
    else if (block.kind === "table")
      for (const row of [block.head, ...block.rows]) for (const cell of row) yield* inlineLeaves(cell);
    else if (block.kind !== "rule") yield* inlineLeaves(block.inline);
  }
}

function* inlineLeaves(inline: readonly Inline[]): Generator<string> {
  for (const part of inline) {
    if (part.kind === "text" || part.kind === "code") yield part.text;
    else if (part.kind !== "break") yield* inlineLeaves(part.inline);
  }
}

const words = (of: string) => of.split("é").length;

test("no word of what was said is lost, whatever marks are around it", () => {
  fc.assert(
    fc.property(markdownish, (source) => {
      const shown = [...leaves(parse(source))].join(" ");
      // The label and the address of a link, and the language of a fence, are kept elsewhere.
      fc.pre(!source.includes("](") && !source.includes("```"));
      expect(words(shown)).toBe(words(source));
    }),
    { numRuns: 500, seed: 3 },
  );
});

test("what is parsed piece by piece is what is parsed at once", () => {
  fc.assert(
    fc.property(
      markdownish,
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 40 }),
      (source, sizes) => {
        // As StreamedMarkdown does it: what is final is kept, the rest is parsed again with what came.
        let lines: string[] = [""];
        let from = 0;
        const final: Block[] = [];
        let last: Block[] = [];
        let at = 0;
        for (let i = 0; at < source.length; i++) {
          const piece = source.slice(at, at + (sizes[i % sizes.length] ?? 1));
          at += piece.length;
          const [first = "", ...more] = piece.split("\n");
          lines = [...lines.slice(0, -1), `${lines.at(-1) ?? ""}${first}`, ...more];
          const blocks = parseBlocks(lines, from);
          const settled = finalBlocks(blocks, lines);
          final.push(...blocks.slice(0, settled).map(({ block }) => block));
          last = blocks.slice(settled).map(({ block }) => block);
          from = blocks[settled]?.line ?? from;
        }
        expect([...final, ...last]).toEqual(parse(source));
      },
    ),
    { numRuns: 3000, seed: 4 },
  );
});

test.for([
  ["asterisks", "*".repeat(100_000)],
  ["opened emphasis", "*a ".repeat(50_000)],
  ["opened brackets", "[".repeat(100_000)],
  ["links that never end", "[a](".repeat(25_000)],
  ["backticks", Array.from({ length: 400 }, (_, i) => "`".repeat(i)).join(" ")],
  ["nested quotes", "> ".repeat(20_000)],
  ["nested lists", Array.from({ length: 2000 }, (_, i) => `${" ".repeat(i * 2)}- x`).join("\n")],
  ["a table with a thousand columns", `${"|a".repeat(1000)}|\n${"|-".repeat(1000)}|\n`.repeat(20)],
  ["backslashes", "\\".repeat(100_000)],
  ["a long line of bars", "|".repeat(100_000)],
  ["tildes", "~~a".repeat(40_000)],
  ["lines that look like tables", "a|b\n".repeat(20_000)],
] as const)("%s do not make it slow", ([, source]) => {
  const started = performance.now();
  parse(source);
  expect(performance.now() - started).toBeLessThan(2000);
});
