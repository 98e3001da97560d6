import * as fc from "fast-check";
import { expect, test } from "vitest";
import { format as formatSlack, MAX_PART as MAX_SLACK } from "../../adapters/slack/format.ts";
import { format as formatTelegram, MAX_PART as MAX_TELEGRAM } from "../../adapters/telegram/format.ts";
import { markdown } from "../../adapters/markdown.ts";
import { plainText } from "../../adapters/spans.ts";

const STYLES = ["markdown", "plain", "preformatted"] as const;

const sources = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "**",
        "*",
        "_",
        "~~",
        "`",
        "\n```js\n",
        "\n```\n",
        "\n",
        "\n\n",
        "> ",
        "# ",
        "- ",
        "&<>",
        "https://a.example/x_y ",
      ),
      fc.string({ unit: "grapheme", maxLength: 60 }),
      fc.integer({ min: 50, max: 3_000 }).map((length) => "word ".repeat(length / 5)),
    ),
    { maxLength: 40 },
  )
  .map((pieces) => pieces.join("").toWellFormed());

const shownBy = (text: string, style: (typeof STYLES)[number]): string =>
  style === "markdown" ? plainText(markdown(text)) : text;
const dense = (text: string): string => text.replaceAll(/\s/g, "");

test.for(STYLES)("what Telegram is sent as %s is within its limits and is the whole text", (style) => {
  fc.assert(
    fc.property(sources, (source) => {
      const parts = formatTelegram(source, style);
      expect(dense(parts.map((part) => part.text).join(""))).toBe(dense(shownBy(source, style)));
      for (const { text, entities } of parts) {
        expect(text.length).toBeLessThanOrEqual(MAX_TELEGRAM);
        expect(text.trim()).not.toBe("");
        expect(text.isWellFormed()).toBe(true);
        expect(entities.length).toBeLessThanOrEqual(100);
        for (const [i, one] of entities.entries()) {
          expect(one.length).toBeGreaterThan(0);
          expect(one.offset + one.length).toBeLessThanOrEqual(text.length);
          for (const other of entities.slice(i + 1)) {
            const [first, second] = one.offset <= other.offset ? [one, other] : [other, one];
            const apart = second.offset >= first.offset + first.length;
            const within =
              second.offset + second.length <= first.offset + first.length || first.offset === second.offset;
            const alone = first.type === "pre" || second.type === "pre";
            expect(apart || (within && !alone)).toBe(true);
          }
        }
      }
    }),
    { numRuns: 200 },
  );
});

function slackText(value: unknown): string {
  if (Array.isArray(value)) return value.map(slackText).join("");
  if (typeof value !== "object" || value === null) return "";
  if ("text" in value && typeof value.text === "string") return value.text;
  if ("url" in value && typeof value.url === "string") return value.url;
  return "elements" in value ? slackText(value.elements) : "";
}

test.for(STYLES)(
  "what Slack is sent as %s is within its limits and is the whole text, as blocks and without",
  (style) => {
    fc.assert(
      fc.property(sources, (source) => {
        const parts = formatSlack(source, style);
        const shown = dense(shownBy(source, style));
        expect(dense(parts.map((part) => part.plain).join(""))).toBe(shown);
        expect(dense(parts.map((part) => slackText(part.blocks)).join(""))).toBe(shown);
        for (const { text, plain } of parts) {
          expect(text.length).toBeLessThanOrEqual(MAX_SLACK);
          expect(text).not.toMatch(/[<>]|&(?!amp;|lt;|gt;)/);
          expect(text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&")).toBe(plain);
        }
      }),
      { numRuns: 200 },
    );
  },
);

test("a block of code that is cut is a block of code in each part", () => {
  const source = `before\n\`\`\`py\n${"x = 1\n".repeat(2_000)}\`\`\`\nafter`;
  const telegram = formatTelegram(source, "markdown");
  expect(telegram.length).toBeGreaterThan(2);
  for (const part of telegram) {
    expect(part.entities).toMatchObject([{ type: "pre", language: "py" }]);
  }
  const slack = formatSlack(source, "markdown");
  for (const { blocks } of slack) {
    expect(blocks[0].elements.map((one) => one.type)).toContain("rich_text_preformatted");
  }
});

test("preformatted text stays to the letter, whatever stands in it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1, maxLength: 300 }), (raw) => {
      const text = raw.toWellFormed();
      fc.pre(text.trim() !== "");
      const [telegram] = formatTelegram(text, "preformatted");
      expect(telegram).toEqual({ text, entities: [{ type: "pre", offset: 0, length: text.length }] });
      const [slack] = formatSlack(text, "preformatted");
      expect(slack?.blocks[0].elements).toEqual([
        { type: "rich_text_preformatted", elements: [{ type: "text", text }] },
      ]);
    }),
  );
});

test("a text that calls everybody in Slack calls nobody", () => {
  const source = "<!channel> <@U1> & <#C1|general>";
  const [part] = formatSlack(source, "markdown");
  expect(part?.text).toBe("&lt;!channel&gt; &lt;@U1&gt; &amp; &lt;#C1|general&gt;");
  expect(part?.blocks[0].elements).toEqual([{ type: "rich_text_section", elements: [{ type: "text", text: source }] }]);
});

test("the words of a link do not hide where it leads", () => {
  const [part] = formatSlack("[https://good.example](https://evil.example)", "markdown");
  expect(part?.blocks[0].elements).toEqual([
    {
      type: "rich_text_section",
      elements: [
        { type: "text", text: "https://good.example (" },
        { type: "link", url: "https://evil.example" },
        { type: "text", text: ")" },
      ],
    },
  ]);
});
