import type { RichTextBlock } from "@slack/web-api";
import type { Send } from "../adapter.ts";
import { markdown } from "../markdown.ts";
import { type Look, plainText, type Span, sliceSpans, span } from "../spans.ts";
import { cuts } from "../split.ts";

/** Slack asks for messages of at most 4,000 characters, and cuts at 40,000. Counted as they are sent, with `&amp;` for an ampersand.
 *  @see https://docs.slack.dev/reference/methods/chat.postMessage#truncating */
export const MAX_PART = 4_000;

export interface Part {
  /** What is shown, word for word. */
  readonly plain: string;
  /** The same in Slack's own alphabet, for notices on a phone and where blocks are refused. */
  readonly text: string;
  /** The same as rich text: it says of every word how it looks, so nothing in a word is read as markup. */
  readonly blocks: [RichTextBlock];
}

/** @returns the messages that show a text; their plain texts joined, but for blank ones, are the text that is shown. */
export function format(text: string, style: Send["style"]): Part[] {
  const spans = style === "markdown" ? markdown(text) : [span(text, { pre: style === "preformatted" ? "" : null })];
  return formatSpans(spans);
}

export function formatSpans(spans: readonly Span[]): Part[] {
  const whole = plainText(spans);
  const parts: Part[] = [];
  let start = 0;
  for (const end of [...cuts(whole, MAX_PART, cost), whole.length]) {
    const piece = sliceSpans(spans, start, end);
    const plain = plainText(piece);
    if (plain.trim() !== "")
      parts.push({ plain, text: escaped(plain), blocks: [{ type: "rich_text", elements: elementsOf(piece) }] });
    start = end;
  }
  return parts;
}

const AMPERSAND = 0x26;
const LESS = 0x3c;
const GREATER = 0x3e;

function cost(unit: number): number {
  return unit === AMPERSAND ? 5 : unit === LESS || unit === GREATER ? 4 : 1;
}

/** Takes the meaning from the three characters that have one everywhere in Slack: without them nobody is called and nothing links.
 *  @see https://docs.slack.dev/messaging/formatting-message-text#escaping */
export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

type Element = RichTextBlock["elements"][number];
type Inline = { type: "text"; text: string; style?: Style } | { type: "link"; url: string; style?: Style };
type Style = { bold?: true; italic?: true; strike?: true; code?: true };
type Kind = "pre" | "quote" | "section";

function elementsOf(spans: readonly Span[]): Element[] {
  const groups: { kind: Kind; spans: Span[] }[] = [];
  for (const one of spans) {
    const kind: Kind = one.pre !== null ? "pre" : one.quote ? "quote" : "section";
    const last = groups.at(-1);
    if (last?.kind === kind) last.spans.push(one);
    else groups.push({ kind, spans: [one] });
  }
  const elements: Element[] = [];
  for (const [i, { kind, spans: run }] of groups.entries()) {
    if (kind === "pre") {
      elements.push({ type: "rich_text_preformatted", elements: [{ type: "text", text: plainText(run) }] });
    } else if (kind === "quote") {
      elements.push({ type: "rich_text_quote", elements: run.map(inlineOf) });
    } else {
      const inside = withoutSeams(run, i > 0, i < groups.length - 1).map(inlineOf);
      if (inside.length > 0) elements.push({ type: "rich_text_section", elements: inside });
    }
  }
  return elements;
}

/** Quotes and blocks of code stand on lines of their own anyway: the line feed next to one would show as an empty line. */
function withoutSeams(spans: readonly Span[], before: boolean, after: boolean): Span[] {
  const text = plainText(spans);
  const start = before && text.startsWith("\n") ? 1 : 0;
  const end = after && text.length > start && text.endsWith("\n") ? text.length - 1 : text.length;
  return sliceSpans(spans, start, end);
}

function inlineOf(one: Span): Inline {
  const style = styleOf(one);
  const look = Object.keys(style).length === 0 ? {} : { style };
  return one.link ? { type: "link", url: one.text, ...look } : { type: "text", text: one.text, ...look };
}

function styleOf(look: Look): Style {
  return {
    ...(look.bold ? { bold: true } : {}),
    ...(look.italic ? { italic: true } : {}),
    ...(look.strike ? { strike: true } : {}),
    ...(look.code ? { code: true } : {}),
  };
}
