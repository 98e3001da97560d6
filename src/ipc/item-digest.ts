import { hash } from "node:crypto";
import { type PackedItem, unpack } from "./items.ts";

/** What stands for an item and for a request, so that a whole conversation is committed to by hashing only what is new:
 *
 *  `digest = SHA-256("wirken/item/v1\n" ‖ u32 head length ‖ head ‖ SHA-256(body))`
 *  `root_0 = SHA-256("wirken/request/v2\n")`, `root_n = SHA-256(root_{n-1} ‖ digest_n)`
 *
 *  The root of a request is that of its last item. The audit room computes the same again: audit/request-check.ts. */
const ITEM_DOMAIN = Buffer.from("wirken/item/v1\n");

/** The root of no items. */
export const NO_ITEMS: Uint8Array = hash("sha256", "wirken/request/v2\n", "buffer");

export function bodyDigest(body: Uint8Array): Uint8Array {
  return hash("sha256", body, "buffer");
}

/** @param body the digest of its body. */
export function itemDigest(head: Uint8Array, body: Uint8Array): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  return hash("sha256", Buffer.concat([ITEM_DOMAIN, length, head, body]), "buffer");
}

/** @returns the root with one more item. */
export function rootAfter(root: Uint8Array, item: Uint8Array): Uint8Array {
  return hash("sha256", Buffer.concat([root, item]), "buffer");
}

/** @returns the root with these items behind those that `root` stands for. @throws {ItemsError} for bytes that are no items. */
export function rootWith(root: Uint8Array, packed: Uint8Array | readonly PackedItem[]): Uint8Array {
  const items = packed instanceof Uint8Array ? unpack(packed) : packed;
  return items.reduce((sum, { head, body }) => rootAfter(sum, itemDigest(head, bodyDigest(body))), root);
}
