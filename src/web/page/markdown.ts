/** Markdown as a tree of plain values. Pure: what an agent says has no way to become markup, because no markup is made here. */

export type Inline =
  | { kind: "text"; text: string }
  | { kind: "code"; text: string }
  | { kind: "break" }
  | { kind: "strong" | "emphasis" | "struck"; inline: Inline[] }
  /** Inert: shown with its address, and never followed. */
  | { kind: "link" | "image"; inline: Inline[]; url: string };

export type Block =
  | { kind: "heading"; level: number; inline: Inline[] }
  | { kind: "paragraph"; inline: Inline[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "list"; start: number | null; items: Block[][] }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "table"; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

/** Quotes, lists and emphasis nest so deep, and what is deeper is text. */
const MAX_DEPTH = 8;
/** Wider tables are text. */
const MAX_COLUMNS = 50;

/** @param from the line of `lines` to start at. @returns each block with its first line. */
export function parseBlocks(lines: readonly string[], from = 0, depth = 0): { block: Block; line: number }[] {
  const found: { block: Block; line: number }[] = [];
  let at = from;
  while (at < lines.length) {
    if (isBlank(lines[at])) {
      at++;
      continue;
    }
    const { block, next } = readBlock(lines, at, depth);
    found.push({ block, line: at });
    at = next;
  }
  return found;
}

/** More text is coming, and the last of `lines` is not whole. @returns how many of the blocks no further text can change: a block is final
 *  when the next one has begun for certain, which its first line says, or for a table its second. */
export function finalBlocks(blocks: readonly { line: number }[], lines: readonly string[]): number {
  for (let at = blocks.length - 1; at > 0; at--) {
    if ((blocks[at]?.line ?? 0) <= lines.length - 3) return at;
  }
  return 0;
}

export function parse(text: string): Block[] {
  return parseBlocks(text.split("\n")).map(({ block }) => block);
}

type Read = { block: Block; next: number };

function readBlock(lines: readonly string[], at: number, depth: number): Read {
  const line = lines[at] ?? "";
  return (
    readFence(lines, at) ??
    readHeading(line, at) ??
    readRule(line, at) ??
    (depth < MAX_DEPTH ? (readQuote(lines, at, depth) ?? readList(lines, at, depth)) : null) ??
    readTable(lines, at) ??
    readParagraph(lines, at, depth)
  );
}

const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^`\s]{0,40})[^`]*$/;

function readFence(lines: readonly string[], at: number): Read | null {
  const [, fence, language = ""] = FENCE.exec(lines[at] ?? "") ?? [];
  if (fence === undefined) return null;
  const body: string[] = [];
  let next = at + 1;
  for (; next < lines.length; next++) {
    const line = lines[next] ?? "";
    const trimmed = line.trim();
    if (trimmed.length >= fence.length && trimmed === fence.charAt(0).repeat(trimmed.length)) {
      next++;
      break;
    }
    body.push(line);
  }
  return { block: { kind: "code", language, text: body.join("\n") }, next };
}

const HEADING = /^ {0,3}(#{1,6})(?:[ \t]+(.*))?$/;

function readHeading(line: string, at: number): Read | null {
  const [, marks, title = ""] = HEADING.exec(line) ?? [];
  if (marks === undefined) return null;
  const text = title.trimEnd().replace(/(?:^|[ \t])#+$/, "");
  return { block: { kind: "heading", level: marks.length, inline: parseInline(text.trim()) }, next: at + 1 };
}

function readRule(line: string, at: number): Read | null {
  const bare = line.replaceAll(/[ \t]/g, "");
  const isRule = bare.length >= 3 && "-*_".includes(bare.charAt(0)) && bare === bare.charAt(0).repeat(bare.length);
  return isRule ? { block: { kind: "rule" }, next: at + 1 } : null;
}

function readQuote(lines: readonly string[], at: number, depth: number): Read | null {
  const inner: string[] = [];
  let next = at;
  for (; next < lines.length; next++) {
    const [, rest] = /^ {0,3}> ?(.*)$/.exec(lines[next] ?? "") ?? [];
    if (rest === undefined) break;
    inner.push(rest);
  }
  if (inner.length === 0) return null;
  return { block: { kind: "quote", blocks: blocksOf(inner, depth) }, next };
}

const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])( {1,4}|\t|$)(.*)$/;

function readList(lines: readonly string[], at: number, depth: number): Read | null {
  const first = ITEM.exec(lines[at] ?? "");
  if (first === null) return null;
  const ordered = isOrdered(first);
  const items: string[][] = [];
  let indent = 0;
  let next = at;
  for (; next < lines.length; next++) {
    const line = lines[next] ?? "";
    const item = ITEM.exec(line);
    const spaces = indentOf(line);
    if (item !== null && (items.length === 0 || spaces < indent)) {
      if (isOrdered(item) !== ordered || readRule(line, next) !== null) break;
      indent = (item[1] ?? "").length + (item[2] ?? "").length + 1;
      items.push([item[4] ?? ""]);
    } else if (isBlank(line)) {
      const after = lines[next + 1] ?? "";
      if (isBlank(after) || (indentOf(after) < indent && ITEM.exec(after) === null)) break;
      items.at(-1)?.push("");
    } else if (spaces >= indent) {
      items.at(-1)?.push(line.slice(indent));
    } else if (startsBlock(line) || isBlank(lines[next - 1])) {
      break;
    } else {
      items.at(-1)?.push(line.trimStart()); // a line that goes on without its indent
    }
  }
  const start = ordered ? Number.parseInt(first[2] ?? "1", 10) : null;
  return { block: { kind: "list", start, items: items.map((item) => blocksOf(item, depth)) }, next };
}

function isOrdered(item: RegExpExecArray): boolean {
  return /^\d/.test(item[2] ?? "");
}

function readTable(lines: readonly string[], at: number): Read | null {
  const head = cells(lines[at] ?? "");
  const divider = lines[at + 1] ?? "";
  if (head === null || head.length > MAX_COLUMNS || !divider.includes("-")) return null;
  const marks = cells(divider);
  if (marks?.length !== head.length || !marks.every((mark) => /^:?-+:?$/.test(mark))) return null;
  const rows: Inline[][][] = [];
  let next = at + 2;
  for (; next < lines.length; next++) {
    const row = cells(lines[next] ?? "");
    if (row === null) break;
    rows.push(head.map((_, column) => parseInline(row[column] ?? "")));
  }
  return { block: { kind: "table", head: head.map((cell) => parseInline(cell)), rows }, next };
}

/** @returns the cells of a table's line, or null if it has no bar. */
function cells(line: string): string[] | null {
  if (!line.includes("|") || isBlank(line)) return null;
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function readParagraph(lines: readonly string[], at: number, depth: number): Read {
  const text = [lines[at] ?? ""];
  let next = at + 1;
  for (; next < lines.length; next++) {
    const line = lines[next] ?? "";
    if (isBlank(line) || (depth < MAX_DEPTH && startsBlock(line)) || readTable(lines, next) !== null) break;
    text.push(line);
  }
  return { block: { kind: "paragraph", inline: parseInline(text.map((line) => line.trim()).join("\n")) }, next };
}

/** Does the line begin a block of its own inside a paragraph? (A number other than 1 does not: "in\n1986. A year".) */
function startsBlock(line: string): boolean {
  const item = ITEM.exec(line);
  if (item !== null && (item[4] ?? "") !== "" && (!isOrdered(item) || /^1[.)]$/.test(item[2] ?? ""))) return true;
  return FENCE.test(line) || HEADING.test(line) || /^ {0,3}>/.test(line) || readRule(line, 0) !== null;
}

function blocksOf(lines: readonly string[], depth: number): Block[] {
  return parseBlocks(lines, 0, depth + 1).map(({ block }) => block);
}

function isBlank(line: string | undefined): boolean {
  return line === undefined || /^[ \t\r]*$/.test(line);
}

function indentOf(line: string): number {
  return line.length - line.trimStart().length;
}

// ——— inside a block ———

/** How far a mark's partner is looked for: a long text full of marks stays linear. */
const MAX_SPAN = 2000;

export function parseInline(text: string, depth = 0): Inline[] {
  const found: Inline[] = [];
  let plain = "";
  const flush = () => {
    if (plain !== "") found.push({ kind: "text", text: plain });
    plain = "";
  };
  const closed: Closed = new Map();
  let at = 0;
  while (at < text.length) {
    const read = readInline(text, at, depth, closed);
    if (read === null) {
      plain += text.charAt(at++);
    } else if (read.inline === null) {
      plain += text.slice(at + 1, read.next); // an escaped character
      at = read.next;
    } else {
      flush();
      found.push(read.inline);
      at = read.next;
    }
  }
  flush();
  return found;
}

/** By mark: before this place nothing closes it, as was found when it was looked for. */
type Closed = Map<string, number>;
type ReadInline = { inline: Inline | null; next: number } | null;

function readInline(text: string, at: number, depth: number, closed: Closed): ReadInline {
  switch (text.charAt(at)) {
    case "\\":
      return /[!-/:-@[-`{-~]/.test(text.charAt(at + 1)) ? { inline: null, next: at + 2 } : null;
    case "\n":
      return { inline: { kind: "break" }, next: at + 1 };
    case "`":
      return readCode(text, at);
    case "*":
    case "_":
      return depth < MAX_DEPTH ? readEmphasis(text, at, depth, closed) : null;
    case "~":
      return depth < MAX_DEPTH ? readStruck(text, at, depth, closed) : null;
    case "!":
      return text.charAt(at + 1) === "[" && depth < MAX_DEPTH ? readLink(text, at + 1, depth, "image") : null;
    case "[":
      return depth < MAX_DEPTH ? readLink(text, at, depth, "link") : null;
    default:
      return null;
  }
}

function readCode(text: string, at: number): ReadInline {
  let ticks = 1;
  while (text.charAt(at + ticks) === "`") ticks++;
  const fence = "`".repeat(ticks);
  const window = text.slice(at + ticks, at + ticks + MAX_SPAN);
  const end = window.search(new RegExp(`(?<!\`)${fence}(?!\`)`));
  if (end < 0) return { inline: { kind: "text", text: fence }, next: at + ticks };
  let code = window.slice(0, end).replaceAll("\n", " ");
  if (code.startsWith(" ") && code.endsWith(" ") && code.trim() !== "") code = code.slice(1, -1);
  return { inline: { kind: "code", text: code }, next: at + ticks + end + ticks };
}

function readEmphasis(text: string, at: number, depth: number, closed: Closed): ReadInline {
  const mark = text.charAt(at);
  const double = text.charAt(at + 1) === mark;
  const strong = double ? readPair(text, at, mark + mark, "strong", depth, closed) : null;
  return strong ?? readPair(text, at, mark, "emphasis", depth, closed);
}

function readStruck(text: string, at: number, depth: number, closed: Closed): ReadInline {
  return text.charAt(at + 1) === "~" ? readPair(text, at, "~~", "struck", depth, closed) : null;
}

function readPair(
  text: string,
  at: number,
  mark: string,
  kind: "strong" | "emphasis" | "struck",
  depth: number,
  closed: Closed,
): ReadInline {
  const start = at + mark.length;
  if (/^[\s]?$/.test(text.charAt(start))) return null; // "2 * 3"
  const within = mark.startsWith("_");
  if (within && isWord(text.charAt(at - 1))) return null; // snake_case
  const limit = Math.min(text.length, start + MAX_SPAN);
  const from = Math.max(start + 1, closed.get(mark) ?? 0);
  for (let end = text.indexOf(mark, from); end >= 0 && end < limit; end = text.indexOf(mark, end + 1)) {
    if (/\s/.test(text.charAt(end - 1)) || text.charAt(end - 1) === "\\") continue;
    // The whole of a run of marks closes at its end, so that **a *b*** nests.
    if (text.charAt(end + mark.length) === mark.charAt(0)) continue;
    if (mark.length === 1 && text.charAt(end - 1) === mark) continue;
    if (within && isWord(text.charAt(end + mark.length))) continue;
    return { inline: { kind, inline: parseInline(text.slice(start, end), depth + 1) }, next: end + mark.length };
  }
  closed.set(mark, Math.max(from, limit));
  return null;
}

const LINK =
  /^\[((?:[^[\]\\]|\\.){0,500})\]\(<?([^()\s<>]{0,2000}(?:\([^()\s<>]{0,200}\)[^()\s<>]{0,200})?)>?(?:[ \t]+"[^"]{0,200}")?\)/;

function readLink(text: string, at: number, depth: number, kind: "link" | "image"): ReadInline {
  const [whole, label = "", url = ""] = LINK.exec(text.slice(at, at + 3500)) ?? [];
  if (whole === undefined) return null;
  return { inline: { kind, inline: parseInline(label, depth + 1), url }, next: at + whole.length };
}

function isWord(character: string): boolean {
  return /[\p{L}\p{N}_]/u.test(character);
}
