import { type Look, type Span, sameLook } from "./spans.ts";

/** Characters of a link's words, and of its address. What is longer is text: the limits keep reading linear in the source. */
const MAX_LABEL = 500;
const MAX_ADDRESS = 2_000;

const LINK = new RegExp(
  `!?\\[((?:[^[\\]\\\\\\n]|\\\\.){0,${MAX_LABEL}})\\]\\([ \\t]{0,8}<?((?:[^\\s()<>]|\\([^\\s()<>]{0,200}\\)){1,${MAX_ADDRESS}})>?(?:[ \\t]{1,8}"[^"\\n]{0,${MAX_LABEL}}")?[ \\t]{0,8}\\)`,
  "y",
);
const AUTOLINK = new RegExp(`<((?:https?|mailto|tel):[^\\s<>]{1,${MAX_ADDRESS}})>`, "y");
const ADDRESS = new RegExp(`https?://[^\\s<>"\`]{1,${MAX_ADDRESS}}`, "y");
/** What may be written with a backslash before it to mean itself. */
const ESCAPABLE = /[!-/:-@[-`{-~]/;

/** A piece of the text, or a run of `*`, `_` or `~` that may begin or end something. */
interface Piece {
  text: string;
  look: Partial<Look>;
  /** Null: not a run, or one that was used up. */
  run: { mark: string; left: number; opens: boolean; closes: boolean } | null;
}

/** The looks inside a paragraph: emphasis, code, links. A link is shown with its address, so that nobody is led where they did not see.
 *  @param base how the whole paragraph looks. */
export function inline(text: string, base: Look): Span[] {
  const pieces = read(text, true);
  const ranges = pair(pieces);
  return render(pieces, ranges, base);
}

function read(text: string, links: boolean): Piece[] {
  const pieces: Piece[] = [];
  const ticks = backticks(text);
  let plain = "";
  const flush = (): void => {
    if (plain !== "") pieces.push({ text: plain, look: {}, run: null });
    plain = "";
  };
  const add = (piece: Piece): void => {
    flush();
    pieces.push(piece);
  };
  for (let at = 0; at < text.length; ) {
    const char = text.charAt(at);
    if (char === "\\" && ESCAPABLE.test(text.charAt(at + 1))) {
      plain += text.charAt(at + 1);
      at += 2;
    } else if (char === "`") {
      const code = codeAt(text, at, ticks);
      if (code.body !== null) add({ text: code.body, look: { code: true }, run: null });
      else plain += text.slice(at, code.next);
      at = code.next;
    } else if (char === "*" || char === "_" || char === "~") {
      let end = at + 1;
      while (text.charAt(end) === char) end += 1;
      add(runAt(text, at, end));
      at = end;
    } else {
      const found = links ? linkAt(text, at) : null;
      if (found === null) {
        plain += char;
        at += 1;
      } else {
        flush();
        pieces.push(...found.pieces);
        at = found.next;
      }
    }
  }
  flush();
  return pieces;
}

/** Where runs of one length begin, ascending. */
class Runs {
  readonly starts: number[] = [];
  #next = 0;

  /** @returns the first at or after `at`. Reading goes forward only, so what lies behind is never looked at again. */
  after(at: number): number | undefined {
    while ((this.starts[this.#next] ?? at) < at) this.#next += 1;
    return this.starts[this.#next];
  }
}

function backticks(text: string): Map<number, Runs> {
  const runs = new Map<number, Runs>();
  for (const run of text.matchAll(/`+/g)) {
    const same = runs.get(run[0].length) ?? new Runs();
    same.starts.push(run.index);
    runs.set(run[0].length, same);
  }
  return runs;
}

/** A run of backticks and the next run of the same length hold code; with none such, they are text. */
function codeAt(text: string, at: number, runs: ReadonlyMap<number, Runs>): { body: string | null; next: number } {
  let open = at + 1;
  while (text.charAt(open) === "`") open += 1;
  const length = open - at;
  const close = runs.get(length)?.after(open);
  if (close === undefined) return { body: null, next: open };
  const body = text.slice(open, close);
  const padded = body.startsWith(" ") && body.endsWith(" ") && body.trim() !== "";
  return { body: padded ? body.slice(1, -1) : body, next: close + length };
}

/** Whether a run may begin or end something, by the rules of CommonMark.
 *  @see https://spec.commonmark.org/0.31.2/#delimiter-run */
function runAt(text: string, start: number, end: number): Piece {
  const mark = text.charAt(start);
  const before = start === 0 ? " " : (lastPoint(text, start) ?? " ");
  const after = end === text.length ? " " : String.fromCodePoint(text.codePointAt(end) ?? 32);
  const spaceBefore = /^\s/.test(before);
  const spaceAfter = /^\s/.test(after);
  const signBefore = /^[\p{P}\p{S}]/u.test(before);
  const signAfter = /^[\p{P}\p{S}]/u.test(after);
  const left = !spaceAfter && (!signAfter || spaceBefore || signBefore);
  const right = !spaceBefore && (!signBefore || spaceAfter || signAfter);
  const within = mark === "_";
  return {
    text: text.slice(start, end),
    look: {},
    run: {
      mark,
      left: end - start,
      opens: left && (!within || !right || signBefore),
      closes: right && (!within || !left || signAfter),
    },
  };
}

function lastPoint(text: string, end: number): string | undefined {
  return Array.from(text.slice(Math.max(0, end - 2), end)).at(-1);
}

function linkAt(text: string, at: number): { pieces: Piece[]; next: number } | null {
  const char = text.charAt(at);
  if (char === "[" || (char === "!" && text.charAt(at + 1) === "[")) {
    LINK.lastIndex = at;
    const link = LINK.exec(text);
    if (link === null) return null;
    const [whole, label = "", address = ""] = link;
    const words = read(label, false);
    const said = words.map((piece) => piece.text).join("");
    const own: Piece = { text: address, look: { link: isWeb(address) }, run: null };
    const next = at + whole.length;
    if (said.trim() === "" || said === address) return { pieces: [own], next };
    return { pieces: [...words, plainPiece(" ("), own, plainPiece(")")], next };
  }
  if (char === "<") {
    AUTOLINK.lastIndex = at;
    const link = AUTOLINK.exec(text);
    if (link === null) return null;
    const address = link[1] ?? "";
    return { pieces: [{ text: address, look: { link: isWeb(address) }, run: null }], next: at + link[0].length };
  }
  if (char === "h" && !/[\p{L}\p{N}]/u.test(lastPoint(text, at) ?? "")) {
    ADDRESS.lastIndex = at;
    const address = ADDRESS.exec(text)?.[0];
    if (address === undefined) return null;
    const own = withoutTail(address);
    return { pieces: [{ text: own, look: { link: isWeb(own) }, run: null }], next: at + own.length };
  }
  return null;
}

function plainPiece(text: string): Piece {
  return { text, look: {}, run: null };
}

function isWeb(address: string): boolean {
  return /^https?:\/\/[^/?#]/.test(address) && URL.canParse(address);
}

/** An address in running text ends before the sentence's own marks and a bracket that it did not open. */
function withoutTail(address: string): string {
  let end = address.length;
  let open = 0;
  for (const char of address) open += char === "(" ? 1 : char === ")" ? -1 : 0;
  for (; end > 0; end--) {
    const char = address.charAt(end - 1);
    if (char === ")" && open < 0) open += 1;
    else if (!".,;:!?*_~'\"]".includes(char)) break;
  }
  return address.slice(0, end);
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly kind: "bold" | "italic" | "strike";
}

/** Finds what belongs together, as CommonMark does. Marks that were used are taken out of their pieces.
 *  @see https://spec.commonmark.org/0.31.2/#phase-2-inline-structure */
function pair(pieces: Piece[]): Range[] {
  const ranges: Range[] = [];
  const openers: number[] = [];
  /** Below this place in `openers` nothing can be closed by a run of that kind: it was looked for before. */
  const floor = new Map<string, number>();
  for (const [at, piece] of pieces.entries()) {
    const { run } = piece;
    if (run === null) continue;
    while (run.closes && run.left > 0) {
      const key = `${run.mark}${run.left % 3}${run.opens ? "o" : ""}`;
      const bottom = floor.get(key) ?? 0;
      let match = openers.length - 1;
      while (match >= bottom && !fits(pieces[openers[match] ?? 0]?.run ?? null, run)) match -= 1;
      if (match < bottom) {
        floor.set(key, openers.length);
        break;
      }
      const from = openers[match] ?? 0;
      const opener = pieces[from]?.run;
      if (opener === null || opener === undefined) break;
      // What opened in between and was not closed is text.
      openers.length = match + 1;
      for (const [kind, bound] of floor) floor.set(kind, Math.min(bound, openers.length));
      const used = run.mark === "~" ? opener.left : Math.min(2, opener.left, run.left);
      ranges.push({ from, to: at, kind: run.mark === "~" ? "strike" : used === 2 ? "bold" : "italic" });
      opener.left -= used;
      run.left -= used;
      if (opener.left === 0) openers.pop();
    }
    if (run.opens && run.left > 0) openers.push(at);
  }
  for (const piece of pieces) if (piece.run !== null) piece.text = piece.run.mark.repeat(piece.run.left);
  return ranges;
}

function fits(opener: Piece["run"], closer: NonNullable<Piece["run"]>): boolean {
  if (opener === null || opener.mark !== closer.mark || opener.left === 0) return false;
  if (closer.mark === "~") return opener.left === closer.left && closer.left <= 2;
  // `*a**b*`: a run that both opens and closes does not pair when the lengths add up to a multiple of three.
  const both = opener.closes || closer.opens;
  return !(both && (opener.left + closer.left) % 3 === 0 && (opener.left % 3 !== 0 || closer.left % 3 !== 0));
}

function render(pieces: readonly Piece[], ranges: readonly Range[], base: Look): Span[] {
  const changes = pieces.map(() => ({ bold: 0, italic: 0, strike: 0 }));
  for (const { from, to, kind } of ranges) {
    // The look begins behind the opening marks and ends before the closing ones.
    const begin = changes[from + 1];
    const end = changes[to];
    if (begin === undefined || end === undefined) continue;
    begin[kind] += 1;
    end[kind] -= 1;
  }
  const spans: Span[] = [];
  const depth = { bold: 0, italic: 0, strike: 0 };
  for (const [i, piece] of pieces.entries()) {
    depth.bold += changes[i]?.bold ?? 0;
    depth.italic += changes[i]?.italic ?? 0;
    depth.strike += changes[i]?.strike ?? 0;
    if (piece.text === "") continue;
    const look: Look =
      piece.look.code === true
        ? { ...base, bold: false, code: true }
        : {
            ...base,
            bold: base.bold || depth.bold > 0,
            italic: base.italic || depth.italic > 0,
            strike: base.strike || depth.strike > 0,
            link: piece.look.link === true,
          };
    const last = spans.at(-1);
    if (last !== undefined && sameLook(last, look) && !look.link) {
      spans[spans.length - 1] = { ...last, text: last.text + piece.text };
    } else spans.push({ ...look, text: piece.text });
  }
  return spans;
}
