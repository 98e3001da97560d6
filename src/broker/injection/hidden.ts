import type { Place, Steps } from "./finding.ts";

/** Invisible characters that no honest text has: the few uses that writing has for them are left out. */

const BLACK_FLAG = 0x1f3f4;
const TAG_END = 0xe007f;
/** A flag of a region is at most this many tag characters. */
const MAX_FLAG_TAGS = 7;
/** So many of what an odd text has now and then. */
const MANY = 3;

type Sort = "tag" | "override" | "isolate" | "zero-width" | "joiner" | "selector" | null;

/** Finds text that nobody sees: tag characters, bidirectional overrides, zero-width characters, runs of variation selectors. */
export function hiddenIn(text: string, steps: Steps): Place[] {
  const places: Place[] = [];
  const isolates: Place[] = [];
  const odd: Place[] = [];
  let rightToLeft = false;
  let before = 0;
  let inFlag = 0;
  let selectors = 0;
  for (let at = 0; at < text.length; ) {
    steps.count += 1;
    const unit = text.charCodeAt(at);
    if (unit < 0x180 && inFlag === 0) {
      selectors = 0;
      before = unit;
      at += 1;
      continue;
    }
    const code = text.codePointAt(at) ?? 0;
    const next = at + (code > 0xffff ? 2 : 1);
    const place: Place = { class: "hidden", from: at, to: next };
    if (code === BLACK_FLAG) inFlag = MAX_FLAG_TAGS;
    const sort = sortOf(code);
    selectors = sort === "selector" ? selectors + 1 : 0;
    switch (sort) {
      case "tag":
        if (inFlag > 0) inFlag = code === TAG_END ? 0 : inFlag - 1;
        else places.push(place);
        break;
      case "override":
        places.push(place);
        break;
      case "isolate":
        isolates.push(place);
        break;
      case "zero-width":
        // At the beginning it is a byte order mark.
        if (at === 0 && code === 0xfeff) break;
        if (isLatin(before) && isLatin(text.codePointAt(next) ?? 0)) places.push(place);
        else odd.push(place);
        break;
      case "joiner":
        if (isLatin(before) && isLatin(text.codePointAt(next) ?? 0)) places.push(place);
        break;
      case "selector":
        if (selectors === 2) places.push(place);
        break;
      case null:
        if (code !== BLACK_FLAG) inFlag = 0;
        if ((code >= 0x590 && code <= 0x8ff) || (code >= 0xfb1d && code <= 0xfefc)) rightToLeft = true;
        break;
    }
    before = code;
    at = next;
  }
  if (!rightToLeft) places.push(...isolates);
  if (odd.length >= MANY) places.push(...odd);
  return places;
}

function sortOf(code: number): Sort {
  if (code < 0x180e) return null;
  if (code >= 0xe0000 && code <= 0xe007f) return "tag";
  if (code === 0x202d || code === 0x202e) return "override";
  if (code === 0x202a || code === 0x202b || code === 0x202c || (code >= 0x2066 && code <= 0x2069)) return "isolate";
  if (code === 0x200b || code === 0x180e || code === 0xfeff || (code >= 0x2060 && code <= 0x2064)) return "zero-width";
  if (code === 0x200c || code === 0x200d) return "joiner";
  if ((code >= 0xfe00 && code <= 0xfe0f) || (code >= 0xe0100 && code <= 0xe01ef)) return "selector";
  return null;
}

function isLatin(code: number): boolean {
  return (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a) || (code >= 0xc0 && code <= 0x24f);
}
