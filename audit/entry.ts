import { hash } from "node:crypto";
import { canonical } from "./canonical.ts";
import { HeadReader } from "./head-reader.ts";

/** A row's bytes. An entry is one line of canonical JSON:
 *  `{"#prev":"<64 hex>","$at":"<24 chars>","$cause":<n|null>,"$kind":"…","$seq":<n>,…}`.
 *  The body is the same without `#prev`; its hash is the link of the chain and the leaf of the Merkle tree. */

/** An entry's length is a u16 in the tile format; `#prev` takes 75 bytes of it. */
export const MAX_BODY_BYTES = 65_460;
/** What stands before row 0. */
export const NO_PREVIOUS = "0".repeat(64);
export const NONCE_BYTES = 16;

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
