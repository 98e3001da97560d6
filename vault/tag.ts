import type { Contents } from "./contents.ts";
import { rootOf } from "./contents.ts";
import { hkdf } from "./crypto.ts";
import { join } from "./encoding.ts";
import type { Secret } from "./secret.ts";

/** What shows at the opening, once and for everything, that a vault is as its own key left it: nothing in it need be opened before it can be believed.
 *
 *  ```
 *  tag = HKDF-SHA-256(KEK, salt = vault id, info = "wirken/vault/v1/root\n" ‖ root in hex)
 *  ```
 *
 *  It says nothing of older states, which have good tags too: those the log finds. */
export const TAG_BYTES = 32;

export function tagOf(kek: Secret, contents: Contents): Uint8Array {
  using derived = hkdf(kek, contents.head.id, join("wirken/vault/v1/root\n", rootOf(contents)), TAG_BYTES);
  return derived.use((bytes) => Uint8Array.from(bytes));
}
