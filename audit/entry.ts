import { hash } from "node:crypto";
import { canonical } from "./canonical.ts";

/** A row's bytes. An entry is one line of canonical JSON:
 *  `{"#prev":"<64 hex>","$at":"<24 chars>","$cause":<n|null>,"$kind":"…","$seq":<n>,…}`.
 *  The body is the same without `#prev`; its hash is the link of the chain and the leaf of the Merkle tree. */

/** An entry's length is a u16 in the tile format; `#prev` takes 75 bytes of it. */
export const MAX_BODY_BYTES = 65_460;
/** What stands before row 0. */
export const NO_PREVIOUS = "0".repeat(64);
export const NONCE_BYTES = 16;

const AT = '{"$at":"';
const CAUSE = '","$cause":';
const KIND = ',"$kind":"';
const SEQ = '","$seq":';
/** From the beginning of a body to the digit, or the `n`, of its cause. */
const CAUSE_AT = AT.length + 24 + CAUSE.length;

/** Where a row stands and what it is. */
export interface Head {
  readonly at: string;
  readonly cause: number | null;
  readonly kind: string;
  readonly seq: number;
}

export interface Body extends Head {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Commitments by part; null for a row without content. */
  readonly content: Readonly<Record<string, string>> | null;
  /** 32 hex digits: a row that is not shown cannot be guessed from its leaf. */
  readonly nonce: string;
}

/** @returns the line that the table stores. */
export function writeBody({ at, cause, kind, seq, fields, content, nonce }: Body): string {
  return canonical({
    ...fields,
    ...(content === null ? {} : { content }),
    $at: at,
    $cause: cause,
    $kind: kind,
    $seq: seq,
    nonce,
  });
}

/** `SHA-256(0x00 ‖ entry)` of a body that stands after the row with the hash `previous`. */
export function entryHash(previous: string, body: string): string {
  return hash("sha256", `\0{"#prev":"${previous}",${body.slice(1)}`, "hex");
}

/** The same for a body that is not what its string says: UTF-8 decoding is not injective. */
export function entryHashOfBytes(previous: string, body: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from(`\0{"#prev":"${previous}",`), body.subarray(1)]), "hex");
}

/** The line as it is handed out: the body with `#prev` put back. */
export function entryLine(previous: string, body: string): string {
  return `{"#prev":"${previous}",${body.slice(1)}`;
}

/** Reads where a row stands from the beginning of its body, forward and without a JSON parser.
 *  @returns null if the body does not begin as every body does. */
export function readHead(body: string): Head | null {
  if (!body.startsWith(AT) || !body.startsWith(CAUSE, AT.length + 24)) return null;
  let end = CAUSE_AT;
  let cause: number | null = null;
  if (body.startsWith("null", end)) end += 4;
  else {
    end = digitsEnd(body, end);
    cause = wholeNumber(body, CAUSE_AT, end);
    if (cause === null) return null;
  }
  if (!body.startsWith(KIND, end)) return null;
  const kindAt = end + KIND.length;
  const kindEnd = body.indexOf('"', kindAt);
  if (kindEnd <= kindAt || kindEnd - kindAt > 64 || !body.startsWith(SEQ, kindEnd)) return null;
  const seqAt = kindEnd + SEQ.length;
  const seqEnd = digitsEnd(body, seqAt);
  const seq = wholeNumber(body, seqAt, seqEnd);
  if (seq === null || (body.charAt(seqEnd) !== "," && body.charAt(seqEnd) !== "}")) return null;
  return { at: body.slice(AT.length, AT.length + 24), cause, kind: body.slice(kindAt, kindEnd), seq };
}

function digitsEnd(text: string, from: number): number {
  let end = from;
  for (let unit = text.charCodeAt(end); unit >= 48 && unit <= 57; unit = text.charCodeAt(end)) end += 1;
  return end;
}

/** @returns null for no digits, a leading zero, or more than a double holds. */
function wholeNumber(text: string, from: number, end: number): number | null {
  if (end === from || end - from > 16 || (end - from > 1 && text.charCodeAt(from) === 48)) return null;
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + (text.charCodeAt(at) - 48);
  return Number.isSafeInteger(value) ? value : null;
}

/** Reads a whole body. @returns null if it is not one of ours. */
export function readBody(body: string): Body | null {
  const head = readHead(body);
  if (head === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof parsed !== "object" || parsed === null) return null;
  const fields: [string, unknown][] = [];
  let content: Record<string, string> | null = null;
  let nonce: string | null = null;
  for (const [key, value] of Object.entries(parsed)) {
    if (key.startsWith("$")) continue;
    if (key === "nonce") nonce = typeof value === "string" ? value : null;
    else if (key === "content") {
      content = commitmentsOf(value);
      if (content === null) return null;
    } else fields.push([key, value]);
  }
  return nonce === null ? null : { ...head, fields: Object.fromEntries(fields), content, nonce };
}

function commitmentsOf(value: unknown): Record<string, string> | null {
  if (typeof value !== "object" || value === null) return null;
  const commitments: [string, string][] = [];
  for (const [part, hex] of Object.entries(value)) {
    if (typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) return null;
    commitments.push([part, hex]);
  }
  return Object.fromEntries(commitments);
}
