import { Parser } from "htmlparser2";

/** Elements that nobody reads. */
const UNREAD: ReadonlySet<string> = new Set([
  "script",
  "style",
  "template",
  "svg",
  "canvas",
  "iframe",
  "object",
  "embed",
  "audio",
  "video",
  "select",
  "datalist",
  "dialog",
]);
/** Elements that begin and end a line; a number is how many blank lines stand around one. */
const BLOCKS: Readonly<Record<string, number>> = {
  p: 1,
  div: 0,
  section: 1,
  article: 1,
  main: 1,
  header: 1,
  footer: 1,
  nav: 1,
  aside: 1,
  form: 1,
  fieldset: 1,
  figure: 1,
  figcaption: 0,
  blockquote: 1,
  pre: 1,
  ul: 1,
  ol: 1,
  dl: 1,
  dt: 0,
  dd: 0,
  table: 1,
  tr: 0,
  li: 0,
  details: 1,
  summary: 0,
  address: 1,
  h1: 1,
  h2: 1,
  h3: 1,
  h4: 1,
  h5: 1,
  h6: 1,
};
/** How deep elements are followed: the parser looks for the one that is closed in all that are open. */
const MAX_DEPTH = 1_000;
/** Of a link's address in the text, in characters: longer ones say nothing to a reader. */
const MAX_LINK = 500;

/** The text of a page, with its headings, lists, tables and links kept as plain marks. What is hidden from a reader is left out. It takes time linear in
 *  the page.
 *  @param url of the page, which its links start from. */
export function htmlToText(html: string, url: string): string {
  const page = new Page(url);
  const parser = new Parser(
    {
      onopentag: (name, attributes) => page.open(name, attributes),
      onclosetag: (name) => page.close(name),
      ontext: (text) => page.text(text),
    },
    { decodeEntities: true, lowerCaseTags: true, lowerCaseAttributeNames: true },
  );
  // Piece by piece: what is nested too deep is not read on.
  for (let at = 0; at < html.length && !page.full; at += PIECE) parser.write(html.slice(at, at + PIECE));
  if (!page.full) parser.end();
  return page.result;
}

const PIECE = 4_096;

type Attributes = Readonly<Record<string, string>>;

class Page {
  readonly #base: string;
  readonly #pieces: string[] = [];
  #title = "";
  #depth = 0;
  /** The depth of the element that is not read; null: all is. */
  #unread: number | null = null;
  #inTitle = false;
  #inHead = false;
  #preformatted = 0;
  /** What stands between this and the next word. */
  #breaks = 0;
  #space = false;
  /** Links that are open: where they began, and where they lead. */
  readonly #links: { readonly at: number; readonly words: number; readonly to: string | null }[] = [];
  #words = 0;
  /** Lists that are open: the next number, or null for one without. */
  readonly #lists: (number | null)[] = [];
  full = false;

  constructor(base: string) {
    this.#base = base;
  }

  get result(): string {
    const text = this.#pieces.join("").trim();
    const title = this.#title.replaceAll(/\s+/g, " ").trim();
    const whole = title === "" || text.startsWith(`# ${title}\n`) ? text : `title: ${title}\n\n${text}`.trim();
    return this.full ? `${whole}\n[the page is nested too deep: the rest was not read]` : whole;
  }

  open(name: string, attributes: Attributes): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) this.full = true;
    if (this.#unread !== null) return;
    if (UNREAD.has(name) || isHidden(attributes)) {
      this.#unread = this.#depth;
      return;
    }
    if (name === "title") this.#inTitle = true;
    if (name === "head") this.#inHead = true;
    if (name === "body") this.#inHead = false;
    const around = BLOCKS[name];
    if (around !== undefined) this.#break(1 + around);
    switch (name) {
      case "br":
        this.#break(1, true);
        return;
      case "hr":
        this.#break(2);
        this.#word("---");
        this.#break(2);
        return;
      case "pre":
        this.#preformatted += 1;
        return;
      case "a":
        this.#flush();
        this.#links.push({ at: this.#pieces.push("") - 1, words: this.#words, to: this.#address(attributes["href"]) });
        return;
      case "img": {
        const alt = attributes["alt"]?.trim() ?? "";
        if (alt !== "") this.text(`[image: ${alt.slice(0, 200)}]`);
        return;
      }
      case "ul":
      case "ol":
        this.#lists.push(name === "ol" ? 1 : null);
        return;
      case "li":
        this.#item();
        return;
      case "td":
      case "th":
        if (this.#breaks === 0) this.#word(" | ");
        return;
      default: {
        const level = /^h([1-6])$/.exec(name)?.[1];
        if (level !== undefined) this.#word(`${"#".repeat(Number(level))} `);
      }
    }
  }

  close(name: string): void {
    const depth = this.#depth;
    this.#depth -= 1;
    if (this.#unread !== null) {
      if (this.#unread === depth) this.#unread = null;
      return;
    }
    if (name === "title") this.#inTitle = false;
    if (name === "head") this.#inHead = false;
    if (name === "pre") this.#preformatted = Math.max(0, this.#preformatted - 1);
    if (name === "ul" || name === "ol") this.#lists.pop();
    if (name === "a") this.#closeLink();
    const around = BLOCKS[name];
    if (around !== undefined) this.#break(1 + around);
  }

  text(text: string): void {
    if (this.#unread !== null) return;
    if (this.#inTitle) {
      if (this.#title.length < MAX_LINK) this.#title += text;
      return;
    }
    if (this.#inHead) return;
    if (this.#preformatted > 0) {
      this.#word(text);
      return;
    }
    const words = text.replaceAll(/[\s\u200b\ufeff]+/g, " ");
    if (words === "") return;
    if (words === " ") {
      this.#space = true;
      return;
    }
    if (words.startsWith(" ")) this.#space = true;
    this.#word(words.trim());
    this.#space = words.endsWith(" ");
  }

  #item(): void {
    const number = this.#lists.at(-1) ?? null;
    if (number !== null) this.#lists[this.#lists.length - 1] = number + 1;
    const inset = "  ".repeat(Math.max(0, Math.min(this.#lists.length, MAX_INSET) - 1));
    this.#word(`${inset}${number === null ? "-" : `${number}.`} `);
  }

  #closeLink(): void {
    const link = this.#links.pop();
    if (link === undefined || link.to === null || link.words === this.#words) return;
    this.#pieces[link.at] = "[";
    this.#pieces.push(`](${link.to})`);
  }

  #address(href: string | undefined): string | null {
    if (href === undefined || href.startsWith("#")) return null;
    const url = URL.parse(href, this.#base);
    if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return null;
    return url.href.length > MAX_LINK ? null : url.href;
  }

  #break(lines: number, more = false): void {
    this.#breaks = more ? this.#breaks + lines : Math.max(this.#breaks, lines);
    this.#space = false;
  }

  #word(word: string): void {
    this.#flush();
    this.#words += 1;
    this.#pieces.push(word);
  }

  #flush(): void {
    if (this.#pieces.length > 0) {
      if (this.#breaks > 0) this.#pieces.push("\n".repeat(Math.min(this.#breaks, MAX_BREAKS)));
      else if (this.#space) this.#pieces.push(" ");
    }
    this.#breaks = 0;
    this.#space = false;
  }
}

/** Line breaks in a row, and steps that a list is inset by: a page may ask for any number. */
const MAX_BREAKS = 2;
const MAX_INSET = 6;

/** What a page's own marks hide from a reader. What a style sheet hides is not known here. */
function isHidden(attributes: Attributes): boolean {
  if (attributes["hidden"] !== undefined || attributes["aria-hidden"] === "true") return true;
  const style = attributes["style"];
  return style !== undefined && /display\s*:\s*none|visibility\s*:\s*hidden/i.test(style);
}
