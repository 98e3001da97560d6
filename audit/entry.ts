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
const AT_LENGTH = 24;
/** From the beginning of a body to the first digit, or the `n`, of its cause. */
const CAUSE_AT = AT.length + AT_LENGTH + CAUSE.length;

const HEAD_KEYS: ReadonlySet<string> = new Set(["$at", "$cause", "$kind", "$seq"]);

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

/** How every body begins, up to the digits of its number. Forward only, and nothing in it can be matched in two ways. */
const HEAD =
  /\{"\$at":"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z","\$cause":(?:null|\d{1,16}),"\$kind":"[!#-[\]-~]{1,64}","\$seq":/y;

/** Reads where a row stands from the beginning of its body, forward and without a JSON parser.
 *
 *  One reader is used for many rows and makes no object or string for any of them: at a million rows that is a third of what is not hashing. */
export class HeadReader {
  #body = "";
  #kindAt = 0;
  #kindEnd = 0;
  #end = 0;
  /** -1 for null. */
  cause = -1;
  seq = -1;
  /** A number for the kind: two kinds may have the same. */
  kindHash = 0;

  /** @returns false if the body does not begin as every body does. */
  read(body: string): boolean {
    HEAD.lastIndex = 0;
    if (!HEAD.test(body)) return false;
    const seqAt = HEAD.lastIndex;
    this.#body = body;
    this.#end = CAUSE_AT;
    this.cause = -1;
    if (body.charCodeAt(CAUSE_AT) === 110) this.#end += 4;
    else {
      this.cause = this.#wholeNumber(body);
      if (this.cause < 0) return false;
    }
    this.#kindAt = this.#end + KIND.length;
    this.#kindEnd = seqAt - SEQ.length;
    let hashed = 0;
    for (let at = this.#kindAt; at < this.#kindEnd; at++) hashed = (hashed * 31 + body.charCodeAt(at)) | 0;
    this.kindHash = hashed;
    this.#end = seqAt;
    this.seq = this.#wholeNumber(body);
    const next = body.charCodeAt(this.#end);
    return this.seq >= 0 && (next === 44 || next === 125);
  }

  /** Reads digits from where it is. @returns -1 for none, a leading zero, or more than a double holds. */
  #wholeNumber(body: string): number {
    const from = this.#end;
    let end = from;
    let value = 0;
    for (let unit = body.charCodeAt(end); unit >= 48 && unit <= 57; unit = body.charCodeAt(end)) {
      value = value * 10 + (unit - 48);
      end += 1;
    }
    this.#end = end;
    if (end === from || end - from > 16 || (end - from > 1 && body.charCodeAt(from) === 48)) return -1;
    return Number.isSafeInteger(value) ? value : -1;
  }

  get at(): string {
    return atOf(this.#body);
  }
  get kind(): string {
    return this.#body.slice(this.#kindAt, this.#kindEnd);
  }
  isKind(kind: string): boolean {
    if (this.#kindEnd - this.#kindAt !== kind.length) return false;
    // Not startsWith: it costs several times as much on strings this short.
    for (let at = 0; at < kind.length; at++) {
      if (this.#body.charCodeAt(this.#kindAt + at) !== kind.charCodeAt(at)) return false;
    }
    return true;
  }
}

/** The time in a body that {@link HeadReader} has read. */
export function atOf(body: string): string {
  return body.slice(AT.length, AT.length + AT_LENGTH);
}

const reader = new HeadReader();

/** @returns null if the body does not begin as every body does. */
export function readHead(body: string): Head | null {
  if (!reader.read(body)) return null;
  return { at: reader.at, cause: reader.cause < 0 ? null : reader.cause, kind: reader.kind, seq: reader.seq };
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
    if (HEAD_KEYS.has(key)) continue;
    // Nothing else begins so: a field that everybody passes over would be a place to hide something.
    if (key.startsWith("$") || key.startsWith("#")) return null;
    if (key === "nonce") nonce = typeof value === "string" ? value : null;
    else if (key === "content") {
      content = commitmentsOf(value);
      if (content === null) return null;
    } else fields.push([key, value]);
  }
  return nonce === null ? null : { ...head, fields: Object.fromEntries(fields), content, nonce };
}

function commitmentsOf(value: unknown): Record<string, string> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const commitments: [string, string][] = [];
  for (const [part, hex] of Object.entries(value)) {
    if (typeof hex !== "string" || !/^[0-9a-f]{64}$/.test(hex)) return null;
    commitments.push([part, hex]);
  }
  return Object.fromEntries(commitments);
}
