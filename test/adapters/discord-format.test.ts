import { parse } from "discord-markdown-parser";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { escaped, format, MAX_PART } from "../../adapters/discord/format.ts";
import { markdown } from "../../adapters/markdown.ts";
import { plainText } from "../../adapters/spans.ts";

/** What Discord's programs make of what they are sent, by a parser of its Markdown that is not ours. */

const STYLES = ["markdown", "plain", "preformatted"] as const;
/** All that a text of ours may be made of: nobody is called, nothing is hidden, and no picture stands for a word. */
const KNOWN = new Set([
  "text",
  "strong",
  "em",
  "strikethrough",
  "inlineCode",
  "codeBlock",
  "blockQuote",
  "url",
  "autolink",
  "br",
]);

interface Node {
  readonly type: string;
  readonly content?: unknown;
  readonly name?: unknown;
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** @returns what is read, and how it looks. */
function shown(content: string): { text: string; types: Set<string> } {
  const types = new Set<string>();
  const walk = (node: unknown): string => {
    if (typeof node === "string") return node;
    if (Array.isArray(node)) return node.map(walk).join("");
    if (!isNode(node)) return "";
    // A character that programs show as a picture.
    if (node.type === "twemoji") return typeof node.name === "string" ? node.name : "";
    types.add(node.type);
    return node.type === "br" ? "\n" : walk(node.content);
  };
  return { text: walk(parse(content, "normal")), types };
}

const dense = (text: string): string => text.replaceAll(/[\s\u200b]/g, "");
const shownBy = (text: string, style: (typeof STYLES)[number]): string =>
  style === "markdown" ? plainText(markdown(text)) : text;

const MARKS = [
  ...Array.from("*_~|`>#-\\\n", (mark) => mark),
  "**",
  "__",
  "~~",
  "||",
  "``",
  "```",
  "\n```js\n",
  "\n```\n",
  "\n\n",
  "> ",
  ">>> ",
  "# ",
  "-# ",
  "- ",
  "1. ",
  "* ",
  "<@1>",
  "<#1>",
  "<@&1>",
  "<:a:1>",
  "<t:1>",
  "@everyone",
  "@here",
  "[a](https://b.example)",
  "https://a.example/x_y ",
  "http://a.example/*b*",
  "(https://a.example)",
  ":smile:",
  "| a | b |\n| - | - |\n| 1 | 2 |\n",
];

const sources = fc
  .array(
    fc.oneof(
      fc.constantFrom(...MARKS),
      fc.string({ unit: "grapheme", maxLength: 40 }),
      fc.integer({ min: 50, max: 3_000 }).map((length) => "word ".repeat(length / 5)),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => pieces.join("").toWellFormed());

test.for(STYLES)("what Discord shows of a text sent as %s is the whole text and no more, within its limit", (style) => {
  fc.assert(
    fc.property(sources, (source) => {
      const parts = format(source, style);
      const all = parts.map(({ content }) => shown(content));
      expect(dense(all.map(({ text }) => text).join(""))).toBe(dense(shownBy(source, style)));
      for (const { types } of all) expect([...types].filter((type) => !KNOWN.has(type))).toEqual([]);
      for (const { content, plain } of parts) {
        expect(content.length).toBeLessThanOrEqual(MAX_PART);
        expect(content.isWellFormed()).toBe(true);
        expect(plain.trim()).not.toBe("");
      }
    }),
  );
});

test.for([
  ["**bold** and *leaning*", "**bold** and *leaning*"],
  ["~~gone~~ `code`", "~~gone~~ `code`"],
  ["# Title", "**Title**"],
  ["- one\n- two", "• one\n• two"],
  ["> said", "> said"],
  ["```js\nlet a = '*';\n```", "```js\nlet a = '*';\n```"],
  ["| a | b |\n|---|---|\n| 1 | 2 |", "```\n| a | b |\n|---|---|\n| 1 | 2 |\n```"],
  ["see https://a.example/x_y_z now", "see <https://a.example/x_y_z> now"],
  ["a_b_c 2 * 3 <@1> @everyone ||x||", "a\\_b\\_c 2 \\* 3 \\<\\@1> \\@everyone \\|\\|x\\|\\|"],
] as const)("%j goes out as it is read", ([source, content]) => {
  expect(format(source, "markdown").map((part) => part.content)).toEqual([content]);
});

test("a block of code that is too long for one message is one in each, with its language", () => {
  const code = Array.from({ length: 200 }, (_, i) => `console.log("line ${i} of a program");`).join("\n");
  const parts = format(`before\n\`\`\`js\n${code}\n\`\`\`\nafter`, "markdown");
  expect(parts.length).toBeGreaterThan(3);
  for (const { content } of parts) expect(content.match(/```/g)).toHaveLength(2);
  expect(parts.slice(1, -1).every(({ content }) => content.startsWith("```js\n") && content.endsWith("\n```"))).toBe(
    true,
  );
  expect(parts.at(-1)?.content).toMatch(/\n```\nafter$/);
});

test("preformatted text is a block, whatever stands in it", () => {
  const [part] = format("rm -rf ```; echo *", "preformatted");
  expect(shown(part?.content ?? "")).toEqual({
    text: "rm -rf `\u200b`\u200b`; echo *",
    types: new Set(["codeBlock"]),
  });
});

test("a text of marks alone is cut where it fits with its backslashes", () => {
  const parts = format("*".repeat(5_000), "plain");
  expect(parts.map(({ content }) => content).join("")).toBe("\\*".repeat(5_000));
  expect(parts.every(({ content }) => content.length <= MAX_PART)).toBe(true);
});

test("what a presser is told holds no marks", () => {
  expect(escaped("only **Ada** can decide this: <@1>\n- a")).toBe(
    "only \\*\\*Ada\\*\\* can decide this: \\<\\@1>\n\\- a",
  );
});
