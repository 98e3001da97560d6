import type { Place, Steps } from "./finding.ts";

/** A link's text is at most so long. */
const MAX_TEXT = 500;
/** What of an address is looked at. */
const MAX_ADDRESS = 2048;
/** A value in a query that is longer holds more than a choice. */
const LONG_VALUE = 24;
const PLACEHOLDER =
  /\{\{|\{[a-z_ ]+\}|\$\{|<[a-z_ -]+>|%7b|\[[a-z_ -]+\]|\b(?:your|the)_|secret|password|base64|_here\b|conversation|history|stolen|exfil/i;

const OPEN = 0x5b;
const CLOSE = 0x5d;
const SMALL_S = 0x73;
const CAPITAL_S = 0x53;

/** Finds Markdown links and images, and images of HTML, whose address would carry something away when it is shown or followed. */
export function linksIn(text: string, steps: Steps): Place[] {
  const places: Place[] = [];
  let open = -1;
  let image = false;
  for (let at = 0; at < text.length; at += 1) {
    steps.count += 1;
    const character = text.charCodeAt(at);
    if (character === OPEN) {
      open = at;
      image = text.charAt(at - 1) === "!";
    } else if (character === CLOSE && open >= 0 && at - open <= MAX_TEXT) {
      // `](address)`, or `]: address` where a reference is defined.
      const from = text.charAt(at + 1) === "(" ? at + 2 : text.startsWith(": ", at + 1) ? at + 3 : -1;
      if (from < 0) continue;
      const end = addressEnd(text, from, steps);
      if (carries(text.slice(from, end), image))
        places.push({ class: "exfiltration", from: open - (image ? 1 : 0), to: end });
      open = -1;
      at = Math.max(at, end - 1);
    } else if ((character === SMALL_S || character === CAPITAL_S) && isSource(text, at)) {
      const quote = text.indexOf("=", at) + 1;
      const from = quote + (/["']/.test(text.charAt(quote)) ? 1 : 0);
      const end = addressEnd(text, from, steps);
      if (carries(text.slice(from, end), true)) places.push({ class: "exfiltration", from: at, to: end });
      at = Math.max(at, end - 1);
    }
  }
  return places;
}

function isSource(text: string, at: number): boolean {
  const next = text.charCodeAt(at + 1);
  return (next === 0x72 || next === 0x52) && /^src\s?=/i.test(text.slice(at, at + 5));
}

function addressEnd(text: string, from: number, steps: Steps): number {
  const most = Math.min(text.length, from + MAX_ADDRESS);
  let at = from;
  while (at < most && !/[\s)"']/.test(text.charAt(at))) at += 1;
  steps.count += at - from;
  return at;
}

/** Has an address elsewhere room that is filled, or to be filled? */
function carries(address: string, image: boolean): boolean {
  const [, rest] = /^<?https?:\/\/([^]*)$/i.exec(address) ?? (image ? (/^<?\/\/([^]*)$/.exec(address) ?? []) : []);
  if (rest === undefined) return false;
  const query = rest.indexOf("?");
  if (PLACEHOLDER.test(query < 0 ? rest.slice(rest.indexOf("/") + 1) : rest.slice(query)) && (image || query >= 0))
    return true;
  if (query < 0 || !image) return false;
  return rest
    .slice(query + 1)
    .split("&")
    .some((pair) => pair.slice(pair.indexOf("=") + 1).length >= LONG_VALUE);
}
