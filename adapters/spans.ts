/** Text and how it looks, as every platform can show it: flat, so that it can be cut anywhere. */

export interface Look {
  readonly bold: boolean;
  readonly italic: boolean;
  readonly strike: boolean;
  /** A word of code inside a line; nothing else applies to it. */
  readonly code: boolean;
  readonly quote: boolean;
  /** A block of code, by its language (or ""); nothing else applies to it. Null: no block. */
  readonly pre: string | null;
  /** The text is a whole address, and what it says is where it leads. */
  readonly link: boolean;
}

export interface Span extends Look {
  readonly text: string;
}

export const PLAIN: Look = {
  bold: false,
  italic: false,
  strike: false,
  code: false,
  quote: false,
  pre: null,
  link: false,
};

export function span(text: string, look: Partial<Look> = {}): Span {
  return { ...PLAIN, ...look, text };
}

export function sameLook(a: Look, b: Look): boolean {
  return (
    a.bold === b.bold &&
    a.italic === b.italic &&
    a.strike === b.strike &&
    a.code === b.code &&
    a.quote === b.quote &&
    a.pre === b.pre &&
    a.link === b.link
  );
}

/** What is read when nothing can be styled. */
export function plainText(spans: readonly Span[]): string {
  let text = "";
  for (const { text: piece } of spans) text += piece;
  return text;
}

/** The part of `spans` between two offsets of their plain text, in UTF-16 units. A link that is cut is no longer one. */
export function sliceSpans(spans: readonly Span[], start: number, end: number): Span[] {
  const slice: Span[] = [];
  let at = 0;
  for (const one of spans) {
    const from = Math.max(start - at, 0);
    const to = Math.min(end - at, one.text.length);
    if (from < to) {
      const whole = from === 0 && to === one.text.length;
      slice.push(whole ? one : { ...one, text: one.text.slice(from, to), link: false });
    }
    at += one.text.length;
    if (at >= end) break;
  }
  return slice;
}

/** Neighbours that are alike in one respect. */
export function runsOf(spans: readonly Span[], of: (look: Look) => string | boolean | null): Span[][] {
  const found: Span[][] = [];
  for (const one of spans) {
    const last = found.at(-1);
    const [first] = last ?? [];
    if (last !== undefined && first !== undefined && of(first) === of(one)) last.push(one);
    else found.push([one]);
  }
  return found;
}
