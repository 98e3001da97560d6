import { hash } from "node:crypto";
import type { Findings } from "./findings.ts";

/** Checks that requests to models are what their rows say that they were made of.
 *
 *  The content `items` of a `model.called` row is JSON `{version: 2, root, after, kept, items: [{head, sha256, bytes, row?, part?, text?}]}`. The
 *  request is the first `kept` items of the one of row `after`, and these. An item is a head (JSON: its role) and a body, whose SHA-256 it has and
 *  which is the content `part` of row `row`, or `text`, or nobody's. With
 *
 *  `digest = SHA-256("wirken/item/v1\n" ‖ u32 head length ‖ head ‖ SHA-256(body))`
 *  `root_0 = SHA-256("wirken/request/v2\n")`, `root_n = SHA-256(root_{n-1} ‖ digest_n)`
 *
 *  `root` is that of the last item: it stands for every byte of the request, in its order. */

/** Requests whose items are remembered: one is mostly the beginning of the next of its session. */
const REMEMBERED = 64;
/** A request that goes on from one that goes on from one, so many times, is looked up no further. */
const MAX_BACK = 10_000;

interface Item {
  readonly head: string;
  readonly sha256: string;
  readonly row: number | null;
  readonly part: string | null;
  readonly text: string | null;
}
interface Request {
  readonly root: string;
  readonly after: number | null;
  readonly kept: number;
  readonly items: readonly Item[];
}

export class RequestCheck {
  readonly #findings: Findings;
  readonly #content: (seq: number, part: string) => Uint8Array | null;
  /** The root after each item, by row; the least recently used first. */
  readonly #roots = new Map<number, readonly string[]>();

  /** @param content a part of a row; null if it is erased or cannot be had, and then nothing is said about it. */
  constructor(findings: Findings, content: (seq: number, part: string) => Uint8Array | null) {
    this.#findings = findings;
    this.#content = content;
  }

  /** @param items the content `items` of row `seq`. */
  row(seq: number, items: Uint8Array): void {
    const request = requestOf(items, seq);
    if (request === null) {
      this.#wrong(seq, "does not say what it was made of in the form that is agreed");
      return;
    }
    const roots = this.#goesOn(request);
    if (roots !== null && roots.at(-1) !== request.root) this.#wrong(seq, "is not made of the items that it names");
    if (roots !== null) this.#remember(seq, roots);
    for (const { sha256, row, part, text } of request.items) {
      const body = text !== null ? Buffer.from(text) : row !== null && part !== null ? this.#content(row, part) : null;
      if (body !== null && hash("sha256", body) !== sha256)
        this.#wrong(
          seq,
          row === null ? "has an item that is another" : `has an item that is not the ${part} of row ${row}`,
        );
    }
  }

  #wrong(seq: number, why: string): void {
    this.#findings.add("content-changed", seq, `the request of row ${seq} ${why}`);
  }

  /** @returns null if what it goes on from cannot be had. */
  #goesOn({ after, kept, items }: Request): readonly string[] | null {
    const before = after === null ? [] : this.#rootsOf(after);
    if (before === null) return null;
    const roots = before.slice(0, kept);
    // More is kept than there was: it is made of something else.
    if (roots.length < kept) return [];
    for (const item of items) roots.push(rootAfter(roots.at(-1) ?? NO_ITEMS, item));
    return roots;
  }

  /** Those of an earlier row: remembered, or made again from the rows that it goes on from. */
  #rootsOf(seq: number): readonly string[] | null {
    const chain: Request[] = [];
    let roots: readonly string[] | null = [];
    for (let at: number | null = seq; at !== null; ) {
      const known = this.#roots.get(at);
      if (known !== undefined) {
        roots = known;
        break;
      }
      const items = this.#content(at, "items");
      const request: Request | null = items === null ? null : requestOf(items, at);
      if (request === null || chain.length === MAX_BACK) return null;
      chain.push(request);
      at = request.after;
    }
    for (const { kept, items } of chain.toReversed()) {
      const next: string[] = roots.slice(0, kept);
      for (const item of items) next.push(rootAfter(next.at(-1) ?? NO_ITEMS, item));
      roots = next;
    }
    return roots;
  }

  #remember(seq: number, roots: readonly string[]): void {
    this.#roots.set(seq, roots);
    if (this.#roots.size <= REMEMBERED) return;
    const [oldest] = this.#roots.keys();
    if (oldest !== undefined) this.#roots.delete(oldest);
  }
}

const NO_ITEMS = hash("sha256", "wirken/request/v2\n");
const ITEM_DOMAIN = Buffer.from("wirken/item/v1\n");

function rootAfter(root: string, { head, sha256 }: Item): string {
  const headBytes = Buffer.from(head);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(headBytes.length);
  const item = hash("sha256", Buffer.concat([ITEM_DOMAIN, length, headBytes, Buffer.from(sha256, "hex")]), "buffer");
  return hash("sha256", Buffer.concat([Buffer.from(root, "hex"), item]));
}

/** @returns null for what has not the form. */
function requestOf(bytes: Uint8Array, seq: number): Request | null {
  const value = parsed(bytes);
  if (value?.["version"] !== 2) return null;
  const { root, after, kept, items } = value;
  if (!isDigest(root) || !Array.isArray(items) || !isCount(kept)) return null;
  if (after !== null && (!isCount(after) || after >= seq)) return null;
  const read = items.map((item: unknown) => itemOf(item, seq));
  return read.includes(null) ? null : { root, after, kept, items: read.filter((item) => item !== null) };
}

function itemOf(value: unknown, seq: number): Item | null {
  if (!isObject(value)) return null;
  const { head, sha256, row = null, part = null, text = null } = value;
  if (typeof head !== "string" || !isDigest(sha256)) return null;
  if (row !== null && (!isCount(row) || row >= seq)) return null;
  if ((part !== null && typeof part !== "string") || (text !== null && typeof text !== "string")) return null;
  return { head, sha256, row, part, text };
}

function parsed(bytes: Uint8Array): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function isDigest(value: unknown): value is string {
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
}
function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
