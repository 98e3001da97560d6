import { el } from "../../src/web/page/element.ts";
import { renderMarkdown, StreamedMarkdown } from "../../src/web/page/render.ts";

/** Runs in the browser: renders each text whole and in pieces, and says what the document then holds. */
export interface Rendered {
  tags: string[];
  /** Every attribute, as `name` or, for those whose value counts, `name=value`. */
  attributes: string[];
  text: string;
  /** The same elements came of the pieces. */
  same: boolean;
}

function render(text: string, size: number): Rendered {
  const whole = el("div", null, ...renderMarkdown(text));
  document.body.replaceChildren(whole);
  const streamed = el("div", null);
  const stream = new StreamedMarkdown(streamed);
  for (let at = 0; at < text.length; at += size) {
    stream.append(text.slice(at, at + size));
    stream.draw();
  }
  const elements = [...whole.querySelectorAll("*")];
  return {
    tags: [...new Set(elements.map((element) => element.localName))],
    attributes: [...new Set(elements.flatMap((element) => element.getAttributeNames()))],
    text: whole.textContent ?? "",
    same: whole.isEqualNode(streamed),
  };
}

Object.assign(globalThis, { renderAll: (texts: string[], size: number) => texts.map((text) => render(text, size)) });
