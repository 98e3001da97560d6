import type { Send } from "../adapter.ts";
import { markdown } from "../markdown.ts";
import { type Look, plainText, runsOf, type Span, sliceSpans, span } from "../spans.ts";
import { cuts } from "../split.ts";

/** Characters of a message as it is sent, marks included. @see https://docs.discord.com/developers/resources/message#create-message */
export const MAX_PART = 2_000;
/** What the marks of a part take is known once they stand: so much of it is text at first, and less where that was too much. */
const FIRST_TRY = 1_900;
/** Characters behind a limit in which a better place to cut is looked for: more than one character that is made of many. */
const BEHIND = 512;

export interface Part {
  /** What is shown, word for word. */
  readonly plain: string;
  /** The same in Discord's Markdown. */
  readonly content: string;
}

/** @returns the messages that show a text; joined, but for blank ones and line feeds between them, they are the text that is shown. */
export function format(text: string, style: Send["style"]): Part[] {
  const spans = style === "markdown" ? markdown(text) : [span(text, { pre: style === "preformatted" ? "" : null })];
  const whole = plainText(spans);
  const parts: Part[] = [];
  for (let start = 0; start < whole.length; ) {
    const { end, part } = partFrom(spans, whole, start);
    if (part.plain.trim() !== "") parts.push(part);
    start = end;
  }
  return parts;
}

function partFrom(spans: readonly Span[], whole: string, start: number): { end: number; part: Part } {
  for (let limit = FIRST_TRY; ; ) {
    const ahead = whole.slice(start, start + limit + BEHIND);
    const end = start + (cuts(ahead, limit, cost)[0] ?? ahead.length);
    const piece = sliceSpans(spans, start, end);
    const part = { plain: plainText(piece), content: rendered(piece) };
    if (part.content.length <= MAX_PART) return { end, part };
    limit = Math.min(limit - 1, Math.floor((limit * MAX_PART) / part.content.length));
  }
}

/** What has a meaning anywhere in a line of Discord's Markdown, and goes out with a backslash before it. */
const MARKS = /[\\*_~|`<[@]/g;
const ESCAPED: ReadonlySet<number> = new Set(Array.from("\\*_~|`<[@", (mark) => mark.charCodeAt(0)));
/** What makes a heading, a list, a quote or small print of a line, at its beginning. */
const LINE_MARKS = /^([ \t]*)(?=[#>+-])|^([ \t]*\d{1,9})(?=[.)])/gm;

function cost(unit: number): number {
  return ESCAPED.has(unit) ? 2 : 1;
}

type Kind = "pre" | "quote" | "section";

function rendered(spans: readonly Span[]): string {
  const groups: { kind: Kind; spans: Span[] }[] = [];
  for (const one of spans) {
    const kind: Kind = one.pre !== null ? "pre" : one.quote ? "quote" : "section";
    const last = groups.at(-1);
    const [first] = last?.spans ?? [];
    if (last?.kind === kind && first?.pre === one.pre) last.spans.push(one);
    else groups.push({ kind, spans: [one] });
  }
  let content = "";
  for (const { kind, spans: run } of groups) {
    const shown = kind === "pre" ? block(run) : kind === "quote" ? quoted(run) : inside(apart(run), 0);
    // Blocks and quotes begin on a line of their own, and what follows them, too.
    const alone = kind !== "section" || content.endsWith("```");
    content += content !== "" && alone && !content.endsWith("\n") && !shown.startsWith("\n") ? `\n${shown}` : shown;
  }
  return content;
}

const NOTHING_WIDE = "\u200b";

/** A block of code ends at three backticks, wherever they stand: such are set apart by a character without width. */
function block(run: readonly Span[]): string {
  const language = run[0]?.pre ?? "";
  const text = plainText(run).replaceAll(/`{3,}/g, (ticks) => Array.from(ticks).join(NOTHING_WIDE));
  return `\`\`\`${language.toLowerCase()}\n${text}\n\`\`\``;
}

function quoted(run: readonly Span[]): string {
  return inside(apart(run), 0)
    .split("\n")
    .map((line) => `> ${line}`)
    .join("\n");
}

/** Outer looks before inner ones. */
const NESTING: readonly { readonly mark: string; readonly has: (look: Look) => boolean }[] = [
  { mark: "**", has: (look) => look.bold },
  { mark: "*", has: (look) => look.italic },
  { mark: "~~", has: (look) => look.strike },
];

function inside(spans: readonly Span[], depth: number): string {
  const level = NESTING[depth];
  if (level === undefined) return leaves(spans);
  let shown = "";
  for (const run of runsOf(spans, level.has)) {
    const [first] = run;
    const inner = inside(run, depth + 1);
    shown += first !== undefined && level.has(first) ? marked(inner, level.mark) : inner;
  }
  return shown;
}

/** White space at its ends would keep a mark from being one. */
function marked(inner: string, mark: string): string {
  const core = inner.trim();
  if (core === "") return inner;
  const at = inner.indexOf(core);
  return `${inner.slice(0, at)}${mark}${core}${mark}${inner.slice(at + core.length)}`;
}

function leaves(spans: readonly Span[]): string {
  let shown = "";
  for (const one of spans) {
    if (one.code) shown += inlineCode(one.text);
    else shown += escaped(one.text);
  }
  return shown;
}

/** Two backticks around it, so that one inside is only itself; more of them would be a block. */
function inlineCode(text: string): string {
  if (text.trim() === "") return text;
  if (!text.includes("`")) return `\`${text}\``;
  return `\`\` ${text.replaceAll(/`(?=`)/g, `\`${NOTHING_WIDE}`)} \`\``;
}

/** An address as Discord would find one in a text. Between angle brackets it is one wherever it stands, and nothing in it is read as a mark. */
const ADDRESS = /https?:\/\/[^\s<>]+[^\s<>.,:;"')\]]/g;

/** Whoever looks for the end of bold or leaning text looks for it in an address, too: one with a mark in it stands for itself. */
function apart(spans: readonly Span[]): Span[] {
  return spans.flatMap((one) => {
    if (one.code) return [one];
    const found: Span[] = [];
    let at = 0;
    for (const { 0: address, index } of one.text.matchAll(ADDRESS)) {
      if (address.search(MARKS) === -1) continue;
      found.push({ ...one, text: one.text.slice(at, index) });
      found.push({ ...one, text: address, bold: false, italic: false, strike: false });
      at = index + address.length;
    }
    return [...found, { ...one, text: one.text.slice(at) }].filter(({ text }) => text !== "");
  });
}

/** Takes the meaning from what has one: nobody is called, nothing is hidden, and what is a list or a heading here is one because we made it so. */
export function escaped(text: string): string {
  let shown = "";
  let at = 0;
  for (const { 0: address, index } of text.matchAll(ADDRESS)) {
    shown += `${plainly(text.slice(at, index))}<${address}>`;
    at = index + address.length;
  }
  return shown + plainly(text.slice(at));
}

function plainly(text: string): string {
  return text.replaceAll(MARKS, "\\$&").replaceAll(LINE_MARKS, "$1$2\\");
}
