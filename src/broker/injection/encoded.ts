import type { Place, Steps } from "./finding.ts";

/** Shorter ones say nothing. */
const MIN_BASE64 = 40;
const MIN_HEX = 48;
/** Letters written as `%41` or `\u0041`, one behind the other. */
const MIN_ESCAPES = 12;
/** What of one run is decoded. */
const MAX_DECODED = 4096;

/** Finds runs of base64, hexadecimal digits and escapes that are words when they are read. Pictures, keys and signatures are none. */
export function encodedIn(text: string, steps: Steps): Place[] {
  return [
    ...runs(text, isBase64, MIN_BASE64, steps).filter(({ from, to }) => isBase64Text(text.slice(from, to), steps)),
    ...runs(text, isHex, MIN_HEX, steps).filter(({ from, to }) => isHexText(text.slice(from, to), steps)),
    ...escapes(text, steps),
  ];
}

function runs(text: string, belongs: (code: number) => boolean, least: number, steps: Steps): Place[] {
  const places: Place[] = [];
  let from = 0;
  for (let at = 0; at <= text.length; at += 1) {
    steps.count += 1;
    if (at < text.length && belongs(text.charCodeAt(at))) continue;
    if (at - from >= least) places.push({ class: "encoded", from, to: at });
    from = at + 1;
  }
  return places;
}

function isBase64Text(run: string, steps: Steps): boolean {
  steps.count += Math.min(run.length, MAX_DECODED);
  const plain = run.slice(0, MAX_DECODED).replaceAll("-", "+").replaceAll("_", "/");
  return isWords(Buffer.from(plain, "base64"), steps);
}

function isHexText(run: string, steps: Steps): boolean {
  steps.count += Math.min(run.length, MAX_DECODED);
  return isWords(Buffer.from(run.slice(0, MAX_DECODED), "hex"), steps);
}

/** Nearly all letters and signs, and blanks between words. */
function isWords(bytes: Buffer, steps: Steps): boolean {
  let printable = 0;
  let blanks = 0;
  let letters = 0;
  for (const byte of bytes) {
    steps.count += 1;
    if (byte === 0x20) blanks += 1;
    if ((byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a)) letters += 1;
    if ((byte >= 0x20 && byte < 0x7f) || byte === 0x0a) printable += 1;
  }
  return printable >= bytes.length * 0.97 && letters >= bytes.length * 0.6 && blanks >= 3;
}

/** `%69%67%6e…`, `\u0069\u0067…`, `\x69…`, `&#105;…`, of what could stand there as it is. */
function escapes(text: string, steps: Steps): Place[] {
  const places: Place[] = [];
  let first = -1;
  let count = 0;
  let at = 0;
  const end = (to: number): void => {
    if (count >= MIN_ESCAPES) places.push({ class: "encoded", from: first, to });
    count = 0;
  };
  while (at < text.length) {
    steps.count += 1;
    const length = escapeAt(text, at);
    if (length === 0) {
      end(at);
      at += 1;
      continue;
    }
    if (count === 0) first = at;
    count += 1;
    at += length;
  }
  end(at);
  return places;
}

function escapeAt(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first !== 0x25 && first !== 0x5c && first !== 0x26) return 0;
  const match = /^(?:%([2-7][0-9a-f])|\\u00([2-7][0-9a-f])|\\x([2-7][0-9a-f])|&#(\d{2,3});|&#x([2-7][0-9a-f]);)/i.exec(
    text.slice(at, at + 8),
  );
  return match?.[0].length ?? 0;
}

function isBase64(code: number): boolean {
  return isAlphanumeric(code) || code === 0x2b || code === 0x2f || code === 0x2d || code === 0x5f;
}

function isHex(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66) || (code >= 0x41 && code <= 0x46);
}

function isAlphanumeric(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
}
