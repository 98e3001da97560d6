import fc from "fast-check";
import { expect, test } from "vitest";
import { format, MAX_PART_BYTES } from "../../adapters/matrix/format.ts";

test.for([
  [
    "**bold**, *slanted*, ~~gone~~ and `code`",
    "<p><strong>bold</strong>, <em>slanted</em>, <del>gone</del> and <code>code</code></p>",
  ],
  ["# Title\ntext", "<h1>Title</h1><p>text</p>"],
  ["- one\n  - under\n- two", "<ul><li>one<ul><li>under</li></ul></li><li>two</li></ul>"],
  ["3. three\n4. four", '<ol start="3"><li>three</li><li>four</li></ol>'],
  [
    "| a | b |\n|---|---|\n| 1 | `x|y` |",
    "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>`x</td><td>y`</td></tr></tbody></table>",
  ],
  ["```ts\nlet a = 1 < 2;\n```", '<pre><code class="language-ts">let a = 1 &lt; 2;\n</code></pre>'],
  ["> quoted\n> **more**", "<blockquote><p>quoted<br><strong>more</strong></p></blockquote>"],
  ["---", "<hr>"],
  ["<b onclick='x'>hi</b> <script>", "<p>&lt;b onclick='x'&gt;hi&lt;/b&gt; &lt;script&gt;</p>"],
  ["[here](https://example.com/a?b=1&c=2)", "<p>here (https://example.com/a?b=1&amp;c=2)</p>"],
] as const)("%s", ([source, html]) => {
  expect(format(source, "markdown")).toMatchObject([{ html }]);
});

test("what has no looks goes out without HTML, and what is shown to the letter in a block", () => {
  expect(format("hello", "markdown")).toEqual([{ body: "hello", html: null }]);
  expect(format("**a**", "plain")).toEqual([{ body: "**a**", html: null }]);
  expect(format("**a** <b>", "preformatted")).toEqual([
    { body: "**a** <b>", html: "<pre><code>**a** &lt;b&gt;\n</code></pre>" },
  ]);
  expect(format(" \n ", "markdown")).toEqual([]);
});

test("a block of code that is too long is cut into several of the same, with all of its lines", () => {
  const lines = Array.from({ length: 1_000 }, (_, i) => `line ${i} of the code`);
  const parts = format(`before\n\`\`\`ts\n${lines.join("\n")}\n\`\`\`\nafter`, "markdown");
  expect(parts.length).toBeGreaterThan(2);
  for (const { html } of parts.slice(1, -1)) expect(html).toMatch(/^<pre><code class="language-ts">/);
  const bodies = parts.map(({ body }) => body).join("\n");
  for (const line of lines) expect(bodies).toContain(line);
});

const ALLOWED =
  /<\/?(?:p|strong|em|del|code|pre|blockquote|h[1-6]|ul|ol|li|table|thead|tbody|tr|th|td|hr|br)(?: class="language-[^"<>]{1,40}"| start="\d{1,10}")?>/g;

test("whatever is said, a part fits into an event, its tags are those we know, and each that opens closes", () => {
  const piece = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.constantFrom(
      "**",
      "`",
      "```\n",
      "| a |\n|--|\n",
      "> ",
      "- ",
      "1. ",
      "# ",
      "\n",
      "<script>",
      "&",
      "[x](y)",
      "\ud83d",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
      for (const { body, html } of format(pieces.join(""), "markdown")) {
        expect(Buffer.byteLength(body) + Buffer.byteLength(html ?? "")).toBeLessThanOrEqual(MAX_PART_BYTES);
        expect(body.isWellFormed()).toBe(true);
        expect((html ?? "").replaceAll(ALLOWED, "")).not.toMatch(/[<>]/);
        const open: string[] = [];
        for (const [tag] of (html ?? "").matchAll(ALLOWED)) {
          const name = /[a-z0-9]+/.exec(tag)?.[0] ?? "";
          if (name === "br" || name === "hr") continue;
          if (tag.startsWith("</")) expect(open.pop()).toBe(name);
          else open.push(name);
        }
        expect(open).toEqual([]);
      }
    }),
  );
});
