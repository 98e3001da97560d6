import { add, el, type Tag } from "./element.ts";
import { visible, visibleLines } from "./format.ts";
import { type Block, type Inline, finalBlocks, parse, parseBlocks } from "./markdown.ts";

const HEADINGS = ["h3", "h4", "h5", "h6"] as const satisfies readonly Tag[];

export function renderMarkdown(text: string): HTMLElement[] {
  return parse(text).map(render);
}

/** Renders Markdown that is still being written: what is complete is left alone, only the end is made anew. */
export class StreamedMarkdown {
  readonly #into: Element;
  #lines: string[] = [""];
  /** First line of the block that is not final. */
  #from = 0;
  /** Elements of final blocks. */
  #final = 0;

  constructor(into: Element) {
    this.#into = into;
  }

  get text(): string {
    return this.#lines.join("\n");
  }

  append(text: string): void {
    const [first = "", ...more] = text.split("\n");
    this.#lines.push(`${this.#lines.pop() ?? ""}${first}`, ...more);
  }

  /** Brings the page up to what was appended. */
  draw(): void {
    const blocks = parseBlocks(this.#lines, this.#from);
    while (this.#into.children.length > this.#final) this.#into.lastElementChild?.remove();
    for (const { block } of blocks) this.#into.append(render(block));
    const final = finalBlocks(blocks, this.#lines);
    this.#from = blocks[final]?.line ?? this.#from;
    this.#final += final;
  }
}

function render(block: Block): HTMLElement {
  switch (block.kind) {
    case "heading":
      return el(HEADINGS[Math.min(block.level, HEADINGS.length) - 1] ?? "h6", null, ...block.inline.map(inline));
    case "paragraph":
      return el("p", { dir: "auto" }, ...block.inline.map(inline));
    case "code":
      return el(
        "pre",
        { tabindex: 0, dir: "ltr", "aria-label": `code ${visible(block.language)}`.trim() },
        el("code", null, visibleLines(block.text)),
      );
    case "list": {
      const items = block.items.map((item) => el("li", { dir: "auto" }, ...item.flatMap(unwrap)));
      return block.start === null ? el("ul", null, ...items) : el("ol", { start: block.start }, ...items);
    }
    case "quote":
      return el("blockquote", null, ...block.blocks.map(render));
    case "table":
      return table(block.head, block.rows);
    case "rule":
      return el("hr", null);
    default:
      return unknown(block);
  }
}

/** A short item of a list needs no paragraph around it. */
function unwrap(block: Block, _at: number, all: readonly Block[]): Node[] {
  const [first] = all;
  return block.kind === "paragraph" && block === first ? block.inline.map(inline) : [render(block)];
}

function table(head: Inline[][], rows: Inline[][][]): HTMLElement {
  return el(
    "div",
    { class: "wide", tabindex: 0 },
    el(
      "table",
      null,
      el("thead", null, el("tr", null, ...head.map((content) => cell("th", content)))),
      el("tbody", null, ...rows.map((row) => el("tr", null, ...row.map((content) => cell("td", content))))),
    ),
  );
}

function cell(tag: "td" | "th", content: Inline[]): HTMLElement {
  return el(tag, { dir: "auto", ...(tag === "th" ? { scope: "col" } : {}) }, ...content.map(inline));
}

function inline(part: Inline): Node {
  switch (part.kind) {
    case "text":
      return document.createTextNode(part.text);
    case "code":
      return el("code", null, part.text);
    case "break":
      return el("br", null);
    case "strong":
      return el("strong", null, ...part.inline.map(inline));
    case "emphasis":
      return el("em", null, ...part.inline.map(inline));
    case "struck":
      return el("del", null, ...part.inline.map(inline));
    case "link":
    case "image": {
      const shown = el("span", { class: "link" });
      add(shown, [part.kind === "image" ? "picture: " : null, ...part.inline.map(inline), " "]);
      shown.append(el("code", { class: "url", dir: "ltr" }, visible(part.url)));
      return shown;
    }
    default:
      return unknown(part);
  }
}

function unknown(what: never): never {
  throw new TypeError(`nothing renders ${JSON.stringify(what)}`);
}
