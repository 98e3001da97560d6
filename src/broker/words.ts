/** Addresses of one session that are remembered; the oldest are let go, and are then asked about. */
const MAX_ADDRESSES = 20_000;
/** Characters of a typed text that are looked through for names and addresses. */
const MAX_TYPED = 64 * 1024;
/** Typed texts that are kept. */
const MAX_TEXTS = 200;

/** What stands in a text between blanks, quotation marks and brackets of the kind that addresses do not hold. */
const LOOSE = /https?:\/\/[^\s<>"'`|\\]+/g;
/** The same, ended by brackets and commas too, as addresses in running text are. */
const TIGHT = /https?:\/\/[^\s<>"'`|\\(){}[\],]+/g;
/** An address as people type it, without its scheme. */
const BARE = /(?<![\w@./:-])(?:[a-z0-9-]+\.)+[a-z]{2,24}(?:\/[^\s<>"'`|\\]*)?/gi;
/** What ends a sentence, and not an address. */
const ENDING = /[.,:;!?'")\]}]+$/;

/** What was said in a session, as far as a way out may be open because of it: words that a person typed themselves, and addresses that came in results. An
 *  address counts whole, from one end to the other: part of one is a choice that somebody made, and a choice can carry what was read elsewhere. */
export class Words {
  readonly #typed = new Map<string, { readonly addresses: Set<string>; readonly texts: string[] }>();
  readonly #results = new Set<string>();

  /** A person typed this. */
  typed(principal: string, text: string): void {
    const theirs = this.#typed.get(principal) ?? { addresses: new Set<string>(), texts: [] };
    this.#typed.set(principal, theirs);
    const read = text.slice(0, MAX_TYPED);
    theirs.texts.push(read);
    if (theirs.texts.length > MAX_TEXTS) theirs.texts.shift();
    for (const address of addressesIn(read)) keep(theirs.addresses, address);
    for (const [bare] of read.matchAll(BARE)) {
      for (const one of [bare, bare.replace(ENDING, "")]) keepForms(theirs.addresses, `https://${one}`);
    }
  }

  /** A tool gave this. @param asked what it was asked: an address that stands there is not found, it comes back. */
  resulted(text: string, asked: string): void {
    const given = new Set(addressesIn(asked));
    for (const address of addressesIn(text)) if (!given.has(address)) keep(this.#results, address);
  }

  /** Where an address stands, byte for byte; null: nowhere. */
  addressIn(url: string, principal: string): "typed" | "result" | null {
    if (this.#typed.get(principal)?.addresses.has(url) === true) return "typed";
    return this.#results.has(url) ? "result" : null;
  }

  /** Did the person type just this, as words of their own? */
  hasTyped(words: string, principal: string): boolean {
    if (words.trim() === "") return false;
    return this.#typed.get(principal)?.texts.some((text) => standsIn(words, text)) ?? false;
  }
}

/** Not as part of a longer word. */
function standsIn(words: string, text: string): boolean {
  for (let at = text.indexOf(words); at !== -1; at = text.indexOf(words, at + 1)) {
    if (!isWordy(text.charAt(at - 1), words.charAt(0)) && !isWordy(text.charAt(at + words.length), words.slice(-1)))
      return true;
  }
  return false;
}

function isWordy(beside: string, edge: string): boolean {
  return /[\p{L}\p{N}_]/u.test(beside) && /[\p{L}\p{N}_]/u.test(edge);
}

/** The addresses of a text, each as it stands there and in the one form that addresses have. */
export function addressesIn(text: string): string[] {
  const found = new Set<string>();
  for (const pattern of [LOOSE, TIGHT]) {
    for (const [address] of text.matchAll(pattern)) {
      keepForms(found, address);
      keepForms(found, address.replace(ENDING, ""));
    }
  }
  return [...found];
}

function keepForms(into: Set<string>, address: string): void {
  keep(into, address);
  const url = URL.parse(address);
  if (url === null) return;
  keep(into, url.href);
  url.hash = "";
  keep(into, url.href);
}

function keep(into: Set<string>, address: string): void {
  into.add(address);
  if (into.size <= MAX_ADDRESSES) return;
  const [oldest] = into;
  if (oldest !== undefined) into.delete(oldest);
}
