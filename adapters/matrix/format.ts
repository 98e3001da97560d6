import type { Send } from "../adapter.ts";
import { markdown } from "../markdown.ts";
import { plainText } from "../spans.ts";
import { split } from "../split.ts";
import { type Block, blocks, codeHtml, htmlOf } from "./html.ts";

/** What one message shows: `body` for programs without looks, `html` for the others; null: there are none. */
export interface Part {
  readonly body: string;
  readonly html: string | null;
}

/** An event has at most 65,536 bytes, and encrypting makes four bytes of three: so much is left for the body and its HTML together, with room for
 *  what else stands in an event.
 *  @see https://spec.matrix.org/v1.11/client-server-api/#size-limits */
export const MAX_PART_BYTES = 40_000;
/** A text is cut after so many UTF-16 units, so that its parts are read well; each fits whatever its characters are. */
const MAX_UNITS = 6_000;

/** @returns the messages that show a text, in order. */
export function format(text: string, style: Send["style"]): Part[] {
  // A half of a surrogate pair is nothing that JSON of a homeserver may hold.
  const whole = text.toWellFormed();
  if (style === "markdown") return marked(whole);
  return split(whole, MAX_UNITS)
    .filter((piece) => piece.trim() !== "")
    .map((piece) => ({ body: piece, html: style === "preformatted" ? codeHtml(piece, "") : null }));
}

function marked(text: string): Part[] {
  const parts: Part[] = [];
  let held: Block[] = [];
  let units = 0;
  const flush = (): void => {
    if (held.length > 0) parts.push(partOf(held));
    held = [];
    units = 0;
  };
  for (const block of blocks(text).flatMap(fitting)) {
    const more = block.source.length + 2;
    if (units + more > MAX_UNITS) flush();
    held.push(block);
    units += more;
  }
  flush();
  return parts.filter(({ body }) => body.trim() !== "");
}

/** A block that is too long is cut: code stays code, and anything else keeps its words. */
function fitting(block: Block): Block[] {
  if (block.source.length <= MAX_UNITS) return [block];
  const { code } = block;
  if (code === null) return split(block.source, MAX_UNITS).flatMap((piece) => blocks(piece));
  return split(code.text, MAX_UNITS).map((piece) => ({
    source: piece,
    html: codeHtml(piece, code.language),
    code: { language: code.language, text: piece },
  }));
}

function partOf(held: readonly Block[]): Part {
  const body = held
    .map((block) => (block.code === null ? plainText(markdown(block.source)) : block.code.text))
    .join("\n\n");
  const html = htmlOf(held);
  const plain = held.every(({ html: one, source }) => one === `<p>${source}</p>`);
  // More marks than words: then the words alone.
  if (plain || Buffer.byteLength(body) + Buffer.byteLength(html) > MAX_PART_BYTES) return { body, html: null };
  return { body, html };
}
