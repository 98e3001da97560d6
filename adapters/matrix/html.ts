import { inline } from "../inline.ts";
import { PLAIN, type Span } from "../spans.ts";

/** Markdown as models write it, as the HTML that Matrix programs show. Nothing of the text can become a tag: all of it is escaped.
 *  @see https://spec.matrix.org/v1.11/client-server-api/#mroommessage-msgtypes */

/** A piece of the source that stands for itself, and its HTML. */
export interface Block {
  readonly source: string;
  readonly html: string;
  /** The language of a block of code, or null: where it is too long, it is cut into several of the same. */
  readonly code: { readonly language: string; readonly text: string } | null;
}

const FENCE = /^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$/;
const LANGUAGE = /^[A-Za-z0-9+#_.-]{1,32}/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(\S.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)(\[[ xX]\][ \t]+)?/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
/** A line longer than this is no row that a chat could show. */
const MAX_TABLE_LINE = 1_000;
/** Quotes and lists in one another beyond this are shown beside each other. */
const MAX_DEPTH = 8;

/** @returns blocks whose sources, joined by line feeds, are the source without blank lines. */
export function blocks(source: string, depth = 0): Block[] {
  const lines = source.replaceAll(/\r\n?/g, "\n").split("\n");
  const found: Block[] = [];
  for (let i = 0; i < lines.length; ) {
    if ((lines[i] ?? "").trim() === "") {
      i += 1;
      continue;
    }
    const { block, next } =
      codeAt(lines, i) ??
      tableAt(lines, i) ??
      quoteAt(lines, i, depth) ??
      lineAt(lines, i) ??
      listAt(lines, i) ??
      paragraphAt(lines, i);
    found.push(block);
    i = next;
  }
  return found;
}

interface At {
  readonly block: Block;
  readonly next: number;
}

function at(lines: readonly string[], i: number, next: number, html: string, code: Block["code"] = null): At {
  return { block: { source: lines.slice(i, next).join("\n"), html, code }, next };
}

function codeAt(lines: readonly string[], i: number): At | null {
  const [, indent = "", fence = "", info = ""] = FENCE.exec(lines[i] ?? "") ?? [];
  if (fence === "") return null;
  let next = i + 1;
  while (next < lines.length && !closes(lines[next] ?? "", fence)) next += 1;
  const text = lines
    .slice(i + 1, next)
    .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line))
    .join("\n");
  // A fence with nothing behind it is text, as in adapters/markdown.ts.
  if (next === lines.length && text.trim() === "") return null;
  const language = LANGUAGE.exec(info.trim())?.[0] ?? "";
  return at(lines, i, Math.min(next + 1, lines.length), codeHtml(text, language), { language, text });
}

function closes(line: string, fence: string): boolean {
  const mark = line.trim();
  return mark.length >= fence.length && mark === fence.charAt(0).repeat(mark.length);
}

export function codeHtml(text: string, language: string): string {
  const named = language === "" ? "" : ` class="language-${escaped(language)}"`;
  return `<pre><code${named}>${escaped(text)}\n</code></pre>`;
}

function tableAt(lines: readonly string[], i: number): At | null {
  const head = lines[i] ?? "";
  const rule = lines[i + 1] ?? "";
  if (!head.includes("|") || !rule.includes("|") || rule.length > MAX_TABLE_LINE || !TABLE_RULE.test(rule)) return null;
  let next = i + 2;
  while (next < lines.length && (lines[next] ?? "").includes("|")) next += 1;
  const body = lines.slice(i + 2, next).map((line) => row(line, "td"));
  const tbody = body.length === 0 ? "" : `<tbody>${body.join("")}</tbody>`;
  return at(lines, i, next, `<table><thead>${row(head, "th")}</thead>${tbody}</table>`);
}

function row(line: string, tag: "td" | "th"): string {
  const inner = cells(line).map((cell) => `<${tag}>${inlineHtml(cell)}</${tag}>`);
  return `<tr>${inner.join("")}</tr>`;
}

function cells(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll(String.raw`\|`, "|"));
}

function quoteAt(lines: readonly string[], i: number, depth: number): At | null {
  let next = i;
  while (next < lines.length && QUOTE.test(lines[next] ?? "")) next += 1;
  if (next === i) return null;
  const inner = lines
    .slice(i, next)
    .map((line) => line.replace(QUOTE, ""))
    .join("\n");
  const html = depth >= MAX_DEPTH ? inlineHtml(inner) : htmlOf(blocks(inner, depth + 1));
  return at(lines, i, next, `<blockquote>${html}</blockquote>`);
}

function lineAt(lines: readonly string[], i: number): At | null {
  const line = lines[i] ?? "";
  const [, marks = "", words = ""] = HEADING.exec(line) ?? [];
  if (marks !== "") return at(lines, i, i + 1, `<h${marks.length}>${inlineHtml(words.trimEnd())}</h${marks.length}>`);
  return RULE.test(line) ? at(lines, i, i + 1, "<hr>") : null;
}

interface Item {
  readonly indent: number;
  readonly number: number | null;
  html: string;
}

function listAt(lines: readonly string[], i: number): At | null {
  const items: Item[] = [];
  let next = i;
  for (; next < lines.length; next++) {
    const line = lines[next] ?? "";
    const [whole, space = "", mark = "", box = ""] = ITEM.exec(line) ?? [];
    const last = items.at(-1);
    if (whole !== undefined && !RULE.test(line)) {
      const tick = box === "" ? "" : box[1] === " " ? "☐ " : "☑ ";
      const indent = space.replaceAll("\t", "    ").length;
      const number = /\d/.test(mark) ? Number.parseInt(mark, 10) : null;
      items.push({ indent, number, html: tick + inlineHtml(line.slice(whole.length)) });
    } else if (last !== undefined && /^[ \t]+\S/.test(line)) last.html += `<br>${inlineHtml(line.trim())}`;
    else break;
  }
  return items.length === 0 ? null : at(lines, i, next, listHtml(items, 0));
}

/** Items that stand further in belong to the one before them. */
function listHtml(items: readonly Item[], depth: number): string {
  const [first] = items;
  if (first === undefined) return "";
  const rows: { html: string; readonly under: Item[] }[] = [];
  for (const item of items) {
    const last = rows.at(-1);
    if (last !== undefined && item.indent > first.indent && depth < MAX_DEPTH) last.under.push(item);
    else rows.push({ html: item.html, under: [] });
  }
  const tag = first.number === null ? "ul" : "ol";
  const start = first.number === null || first.number === 1 ? "" : ` start="${first.number}"`;
  const inner = rows.map(({ html, under }) => `<li>${html}${listHtml(under, depth + 1)}</li>`).join("");
  return `<${tag}${start}>${inner}</${tag}>`;
}

function paragraphAt(lines: readonly string[], i: number): At {
  let next = i + 1;
  while (next < lines.length && !begins(lines, next)) next += 1;
  return at(lines, i, next, `<p>${inlineHtml(lines.slice(i, next).join("\n"))}</p>`);
}

function begins(lines: readonly string[], i: number): boolean {
  const line = lines[i] ?? "";
  if (line.trim() === "" || FENCE.test(line) || QUOTE.test(line) || HEADING.test(line)) return true;
  return RULE.test(line) || ITEM.test(line) || tableAt(lines, i) !== null;
}

function inlineHtml(text: string): string {
  return inline(text, PLAIN).map(spanHtml).join("");
}

/** An address is text: what it says is where it leads, and nobody looks it up for us. */
function spanHtml(span: Span): string {
  const text = escaped(span.text).replaceAll("\n", "<br>");
  if (span.code) return `<code>${text}</code>`;
  const marks = [span.bold ? "strong" : "", span.italic ? "em" : "", span.strike ? "del" : ""].filter(
    (tag) => tag !== "",
  );
  return `${marks.map((tag) => `<${tag}>`).join("")}${text}${marks
    .toReversed()
    .map((tag) => `</${tag}>`)
    .join("")}`;
}

export function htmlOf(found: readonly Block[]): string {
  return found.map(({ html }) => html).join("");
}

export function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
