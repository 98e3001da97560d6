import * as z from "zod/mini";
import { HaltId, Name, SessionId } from "./ids.ts";

/** What the owner may ask about turns that are not to be begun. */

const Reason = z.string().check(z.minLength(1), z.maxLength(500));

/** What is halted: everything, one agent, or one session. */
export const HaltTarget = z.discriminatedUnion("subject", [
  z.strictObject({ subject: z.literal("all") }),
  z.strictObject({ subject: z.literal("agent"), agent: Name }),
  z.strictObject({ subject: z.literal("session"), session: SessionId }),
]);
export type HaltTarget = z.infer<typeof HaltTarget>;

export const HALT_CALLS = [
  z.strictObject({ call: z.literal("halt.begin"), target: HaltTarget, reason: Reason }),
  z.strictObject({ call: z.literal("halt.end"), target: HaltTarget, reason: z.nullable(Reason) }),
] as const;

const HaltView = z.strictObject({
  halt: HaltId,
  /** What is halted, in words. */
  sentence: z.string(),
  at: z.string(),
  /** Turns that ran and were ended for it. */
  ended: z.int(),
});

export const HALT_ANSWERS = { "halt.begin": HaltView, "halt.end": HaltView } as const;
