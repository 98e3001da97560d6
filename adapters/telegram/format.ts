import { markdown } from "../markdown.ts";
import { type Look, plainText, runsOf, type Span, sliceSpans, span } from "../spans.ts";
import { cuts } from "../split.ts";
import type { Send } from "../adapter.ts";

/** Telegram's limit on a message, in UTF-16 units of what is shown.
 *  @see https://core.telegram.org/bots/api#sendmessage */
export const MAX_PART = 4_096;
/** Telegram looks at no more entities of one message; what comes after would be plain. */
const MAX_ENTITIES = 100;

/** How a stretch of a message looks. Offsets and lengths are UTF-16 units.
 *  @see https://core.telegram.org/bots/api#messageentity */
export type Entity =
  | { type: "bold" | "italic" | "strikethrough" | "code" | "blockquote"; offset: number; length: number }
  | { type: "pre"; offset: number; length: number; language?: string };

export interface Part {
  /** Exactly what is shown, formatted or not: entities stand beside the text, so nothing in it can be mistaken for markup. */
  readonly text: string;
  readonly entities: Entity[];
}

/** @returns the messages that show a text; joined, but for blank ones, they are the text that is shown. */
export function format(text: string, style: Send["style"]): Part[] {
  const spans = spansOf(text, style);
  const whole = plainText(spans);
  const ends = [...cuts(whole, MAX_PART), whole.length];
  const parts: Part[] = [];
  let start = 0;
  for (const end of ends) {
    const piece = sliceSpans(spans, start, end);
    // Telegram takes no message of white space alone.
    if (plainText(piece).trim() !== "") parts.push({ text: plainText(piece), entities: entitiesOf(piece) });
    start = end;
  }
  return parts;
}

function spansOf(text: string, style: Send["style"]): Span[] {
  if (style === "markdown") return markdown(text);
  return [span(text, { pre: style === "preformatted" ? "" : null })];
}

/** Outer looks before inner ones: two entities with a character in common must lie one within the other. */
const NESTING = [
  { type: "blockquote", has: (look: Look) => look.quote && look.pre === null },
  { type: "bold", has: (look: Look) => look.bold },
  { type: "italic", has: (look: Look) => look.italic },
  { type: "strikethrough", has: (look: Look) => look.strike },
  { type: "code", has: (look: Look) => look.code },
] as const;

function entitiesOf(spans: readonly Span[]): Entity[] {
  const entities: Entity[] = [];
  let offset = 0;
  for (const run of runsOf(spans, (one) => one.pre)) {
    const [first] = run;
    const length = plainText(run).length;
    const pre = first?.pre ?? null;
    if (pre !== null) entities.push({ type: "pre", offset, length, ...(pre === "" ? {} : { language: pre }) });
    else nested(run, offset, 0, entities);
    offset += length;
  }
  return entities.slice(0, MAX_ENTITIES);
}

function nested(spans: readonly Span[], start: number, depth: number, entities: Entity[]): void {
  const level = NESTING[depth];
  if (level === undefined) return;
  let offset = start;
  for (const run of runsOf(spans, level.has)) {
    const length = plainText(run).length;
    const [first] = run;
    if (first !== undefined && level.has(first)) entities.push({ type: level.type, offset, length });
    nested(run, offset, depth + 1, entities);
    offset += length;
  }
}
