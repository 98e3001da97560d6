import * as z from "zod/mini";
import { TurnId } from "./ids.ts";

/** What the owner may ask about file changes that turns made. */

export const UNDO_CALLS = [
  /** `preview`: only what would be done is said. `force`: also where somebody changed a file since. */
  z.strictObject({ call: z.literal("undo"), turn: TurnId, force: z.boolean(), preview: z.boolean() }),
  z.strictObject({ call: z.literal("undo.list") }),
] as const;

export const UNDO_ANSWERS = {
  undo: z.strictObject({
    turn: z.string(),
    session: z.string(),
    files: z.array(
      z.strictObject({
        path: z.string(),
        state: z.enum(["restored", "as it was", "conflict", "failed"]),
        why: z.nullable(z.string()),
      }),
    ),
    /** What cannot be taken back, a sentence each. */
    beyond: z.array(z.string()),
    /** How often this turn was taken back before. */
    before: z.int(),
    /** The row `undo.done`; null where nothing was done. */
    row: z.nullable(z.int()),
  }),
  "undo.list": z.strictObject({
    turns: z.array(z.strictObject({ turn: TurnId, at: z.string(), agent: z.string() })),
  }),
} as const;
