/** Cuts a text that is too long for one message where a reader minds least. */

/** How far back from the limit a better place is looked for, as a share of what fits. */
const REACH = 0.5;
/** UTF-16 units around a cut in which the characters that belong together are looked for; longer ones are cut between code points. */
const CLUSTER = 256;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** What one UTF-16 unit of the text costs of the limit, e.g. 5 for an ampersand that goes out as `&amp;`. */
export type Cost = (unit: number) => number;
const one: Cost = () => 1;

/** @param limit what one part may cost; at least the cost of the dearest character. @returns offsets of the cuts, ascending, in UTF-16
 *  units, never inside a surrogate pair, nor inside a grapheme that is shorter than 256 units.
 *  @throws {RangeError} if one character costs more than the limit. */
export function cuts(text: string, limit: number, cost: Cost = one): number[] {
  const found: number[] = [];
  let start = 0;
  for (;;) {
    const end = reach(text, start, limit, cost);
    if (end === text.length) return found;
    const cut = bestCut(text, start, end);
    if (cut === start) throw new RangeError(`a part of ${limit} is too small for one character`);
    found.push(cut);
    start = cut;
  }
}

/** @returns the parts of a text; joined they are the text. */
export function split(text: string, limit: number, cost: Cost = one): string[] {
  let start = 0;
  const parts: string[] = [];
  for (const cut of [...cuts(text, limit, cost), text.length]) {
    parts.push(text.slice(start, cut));
    start = cut;
  }
  return parts;
}

/** @returns the end of the longest part from `start` that costs at most `limit`. */
function reach(text: string, start: number, limit: number, cost: Cost): number {
  let spent = 0;
  for (let at = start; at < text.length; at++) {
    spent += cost(text.charCodeAt(at));
    if (spent > limit) return at;
  }
  return text.length;
}

function bestCut(text: string, start: number, end: number): number {
  const earliest = start + Math.max(1, Math.floor((end - start) * REACH));
  for (const mark of ["\n\n", "\n", ". ", " "]) {
    // A mark may end just at the limit, and the cut is behind it.
    let at = text.lastIndexOf(mark, end - mark.length);
    while (at !== -1 && at + mark.length >= earliest) {
      const cut = at + mark.length;
      if (cut <= end && isBoundary(text, cut)) return cut;
      at = at === 0 ? -1 : text.lastIndexOf(mark, at - 1);
    }
  }
  const whole = clusterStart(text, end);
  if (whole > start) return whole;
  return isLow(text, end) && end - 1 > start ? end - 1 : isLow(text, end) ? start : end;
}

function isLow(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  const before = text.charCodeAt(at - 1);
  return unit >= 0xdc00 && unit <= 0xdfff && before >= 0xd800 && before <= 0xdbff;
}

function isBoundary(text: string, at: number): boolean {
  return at === text.length || clusterStart(text, at) === at;
}

/** @returns where the grapheme that holds the unit at `at` begins. */
function clusterStart(text: string, at: number): number {
  let from = Math.max(0, at - CLUSTER);
  if (from > 0 && isLow(text, from)) from += 1;
  const window = text.slice(from, at + CLUSTER);
  return from + (graphemes.segment(window).containing(at - from)?.index ?? at - from);
}
