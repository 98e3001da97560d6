import { inline } from "./inline.ts";
import { type Look, PLAIN, type Span, span } from "./spans.ts";

/** Markdown as models write it, made flat: what chats have no look for (headings, lists, tables, rules) becomes text that reads the same.
 *  Never throws: what is not Markdown is text. Takes time linear in the source. */
export function markdown(source: string): Span[] {
  return joined(units(source.replaceAll(/\r\n?/g, "\n").split("\n"), PLAIN), PLAIN);
}

/** What stands between two line feeds of the result: a paragraph, an item, a block of code. A blank line is an empty one. */
type Unit = Span[];

function units(lines: readonly string[], base: Look): Unit[] {
  const found: Unit[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    if (paragraph.length > 0) found.push(inline(paragraph.join("\n"), base));
    paragraph = [];
  };
  for (let i = 0; i < lines.length; ) {
    const block = blockAt(lines, i, base);
    if (block === null) {
      paragraph.push(lines[i] ?? "");
      i += 1;
      continue;
    }
    flush();
    // Several blank lines mean no more than one, and none belongs at the beginning.
    const blank = block.unit.length === 0;
    if (!blank || (found.at(-1)?.length ?? 0) > 0) found.push(block.unit);
    i = block.next;
  }
  flush();
  while (found.at(-1)?.length === 0) found.pop();
  return found;
}

function joined(parts: readonly Unit[], base: Look): Span[] {
  return parts.flatMap((unit, i) => (i === 0 ? unit : [{ ...base, text: "\n" }, ...unit]));
}

interface Block {
  readonly unit: Unit;
  /** The first line after it. */
  readonly next: number;
}

/** @returns what begins at line `i` and is no paragraph; null if a paragraph is what it is. */
function blockAt(lines: readonly string[], i: number, base: Look): Block | null {
  const line = lines[i] ?? "";
  if (line.trim() === "") return { unit: [], next: i + 1 };
  return (
    codeAt(lines, i) ??
    tableAt(lines, i) ??
    (base.quote ? null : quoteAt(lines, i)) ??
    headingAt(line, i, base) ??
    ruleAt(line, i, base) ??
    itemAt(line, i, base)
  );
}

const FENCE = /^([ \t]*)(`{3,}|~{3,})[ \t]*([^`\n]*)$/;
/** A language is what `pre` is tagged with: longer or odder words are left out. */
const LANGUAGE = /^[A-Za-z0-9+#_.-]{1,32}/;

/** A fence that is never closed runs to the end: an answer that was cut off is shown as the code it is. With nothing after it, it is text: what stands
 *  behind the fence would be lost as the language of no code. */
function codeAt(lines: readonly string[], i: number): Block | null {
  const open = FENCE.exec(lines[i] ?? "");
  if (open === null) return null;
  const [, indent = "", fence = "", info = ""] = open;
  const body: string[] = [];
  let next = i + 1;
  for (; next < lines.length && !closes(lines[next] ?? "", fence); next++) {
    body.push(dedented(lines[next] ?? "", indent.length));
  }
  const text = body.join("\n");
  if (next === lines.length && text.trim() === "" && info !== "") return null;
  const unit = text.trim() === "" ? [] : [span(text, { pre: LANGUAGE.exec(info.trim())?.[0] ?? "" })];
  return { unit, next: Math.min(next + 1, lines.length) };
}

function closes(line: string, fence: string): boolean {
  const mark = line.trim();
  return mark.length >= fence.length && mark === fence.charAt(0).repeat(mark.length);
}

function dedented(line: string, by: number): string {
  let at = 0;
  while (at < by && (line[at] === " " || line[at] === "\t")) at += 1;
  return line.slice(at);
}

const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
/** A line longer than this is no row that a chat could show. */
const MAX_TABLE_LINE = 1_000;

/** A table keeps its columns only where every letter has one width. */
function tableAt(lines: readonly string[], i: number): Block | null {
  const head = lines[i] ?? "";
  const rule = lines[i + 1] ?? "";
  if (!head.includes("|") || !rule.includes("|") || rule.length > MAX_TABLE_LINE || !TABLE_RULE.test(rule)) return null;
  let next = i + 2;
  while (next < lines.length && (lines[next] ?? "").includes("|")) next += 1;
  return { unit: [span(lines.slice(i, next).join("\n"), { pre: "" })], next };
}

const QUOTE = /^ {0,3}((?:> ?)+)/;

/** Quotes within quotes are one: no chat shows more. */
function quoteAt(lines: readonly string[], i: number): Block | null {
  const inner: string[] = [];
  let next = i;
  for (; next < lines.length; next++) {
    const line = lines[next] ?? "";
    const mark = QUOTE.exec(line);
    if (mark === null) break;
    inner.push(line.slice(mark[0].length));
  }
  if (next === i) return null;
  const look = { ...PLAIN, quote: true };
  return { unit: joined(units(inner, look), look), next };
}

function headingAt(line: string, i: number, base: Look): Block | null {
  const heading = /^ {0,3}#{1,6}[ \t]+(\S.*)$/.exec(line);
  if (heading === null) return null;
  return { unit: inline((heading[1] ?? "").trimEnd(), { ...base, bold: true }), next: i + 1 };
}

function ruleAt(line: string, i: number, base: Look): Block | null {
  if (!/^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/.test(line)) return null;
  return { unit: [{ ...base, text: "──────────" }], next: i + 1 };
}

const ITEM = /^([ \t]*)([-*+]|\d{1,9}[.)])[ \t]+(?=\S)(\[[ xX]\][ \t]+)?/;

function itemAt(line: string, i: number, base: Look): Block | null {
  const item = ITEM.exec(line);
  if (item === null) return null;
  const [whole, indent = "", mark = "", box = ""] = item;
  const bullet = /\d/.test(mark) ? mark : "•";
  const tick = box === "" ? "" : box[1] === " " ? "☐ " : "☑ ";
  return {
    unit: [{ ...base, text: `${indent}${bullet} ${tick}` }, ...inline(line.slice(whole.length), base)],
    next: i + 1,
  };
}
