import { markdown } from "../markdown.ts";
import { type Look, plainText, type Span, sliceSpans, span } from "../spans.ts";
import { cuts } from "../split.ts";
import type { Send } from "../adapter.ts";

/** Bytes of UTF-8. Signal makes an attachment of what is longer than 2,000, which not every program shows. */
export const MAX_PART = 1_800;

export interface Part {
  /** Exactly what is shown: styles stand beside the text, so nothing in it can be mistaken for markup. */
  readonly text: string;
  /** `start:length:STYLE`, in UTF-16 units. */
  readonly styles: string[];
}

/** @returns the messages that show a text; joined, but for blank ones and line feeds between them, they are the text that is shown. */
export function format(text: string, style: Send["style"]): Part[] {
  const spans = spansOf(text, style);
  const whole = plainText(spans);
  const parts: Part[] = [];
  let start = 0;
  for (const end of [...cuts(whole, MAX_PART, bytesOf), whole.length]) {
    // The line feed that it was cut at would be an empty line at its end.
    const piece = sliceSpans(spans, start, whole[end - 1] === "\n" ? end - 1 : end);
    if (plainText(piece).trim() !== "") parts.push({ text: plainText(piece), styles: stylesOf(piece) });
    start = end;
  }
  return parts;
}

/** Of one UTF-16 unit in UTF-8: a pair of surrogates has four together. */
function bytesOf(unit: number): number {
  if (unit < 0x80) return 1;
  if (unit < 0x8_00 || (unit >= 0xd8_00 && unit <= 0xdf_ff)) return 2;
  return 3;
}

function spansOf(text: string, style: Send["style"]): Span[] {
  if (style === "markdown") return markdown(text);
  return [span(text, { pre: style === "preformatted" ? "" : null })];
}

const STYLES: readonly { readonly name: string; readonly has: (look: Look) => boolean }[] = [
  { name: "BOLD", has: (look) => look.bold },
  { name: "ITALIC", has: (look) => look.italic },
  { name: "STRIKETHROUGH", has: (look) => look.strike },
  { name: "MONOSPACE", has: (look) => look.code || look.pre !== null },
];

function stylesOf(spans: readonly Span[]): string[] {
  return STYLES.flatMap(({ name, has }) => {
    const found: { start: number; length: number }[] = [];
    let at = 0;
    for (const one of spans) {
      const last = found.at(-1);
      if (has(one) && last !== undefined && last.start + last.length === at) last.length += one.text.length;
      else if (has(one)) found.push({ start: at, length: one.text.length });
      at += one.text.length;
    }
    return found.filter(({ length }) => length > 0).map(({ start, length }) => `${start}:${length}:${name}`);
  });
}
