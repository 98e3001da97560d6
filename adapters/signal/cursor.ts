import * as z from "zod/mini";
import { jsonOf } from "../json-cursor.ts";

/** What is remembered from one run to the next: signal-cli gives each message once, and asks for no receipt. What it hands over to whoever is not there any more
 *  is lost (it deletes its own copy before it answers, and goes on waiting for a caller that left), so that it is known when that may have been. */

const Pair = z.tuple([z.string().check(z.maxLength(512)), z.string().check(z.maxLength(512))]);
const Cursor = z.strictObject({
  /** `open`: it was never ended. `left`: at its end signal-cli still waited for a message to give it. */
  state: z.enum(["open", "left", "closed"]),
  /** When it was so, Unix milliseconds. */
  at: z.int().check(z.gte(0)),
  /** Cards that a reaction can decide, by the message that shows each. */
  cards: z.array(Pair),
});
export type Cursor = z.infer<typeof Cursor>;

export function decodeCursor(cursor: string | null): Cursor | null {
  return Cursor.safeParse(jsonOf(cursor)).data ?? null;
}

export function encodeCursor(cursor: Cursor): string {
  return JSON.stringify(cursor);
}
