import * as z from "zod/mini";
import { HoldId, PrincipalId, SessionId } from "./ids.ts";

/** What the owner may ask about how long things are kept: erase, exempt, prune. */

const Moment = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));
const Reason = z.string().check(z.minLength(1), z.maxLength(500));

/** A session, or a person. */
const Erasable = z.discriminatedUnion("subject", [
  z.strictObject({ subject: z.literal("session"), session: SessionId }),
  z.strictObject({ subject: z.literal("principal"), principal: PrincipalId }),
]);

/** What a hold exempts. */
export const HoldTarget = z.discriminatedUnion("subject", [
  z.strictObject({ subject: z.literal("session"), session: SessionId }),
  z.strictObject({ subject: z.literal("principal"), principal: PrincipalId }),
  z.strictObject({ subject: z.literal("span"), from: Moment, to: Moment }),
]);

export const RETENTION_CALLS = [
  z.strictObject({ call: z.literal("audit.erase"), target: Erasable, reason: Reason }),
  z.strictObject({ call: z.literal("hold.add"), target: HoldTarget, reason: Reason }),
  z.strictObject({ call: z.literal("hold.list") }),
  z.strictObject({ call: z.literal("hold.remove"), hold: HoldId, reason: z.nullable(Reason) }),
  /** Content and bodies of rows before this time go. */
  z.strictObject({ call: z.literal("audit.prune"), before: Moment }),
] as const;

const HoldView = z.strictObject({
  hold: z.string(),
  /** What it exempts, in words. */
  sentence: z.string(),
  reason: z.string(),
  at: z.string(),
  by: z.string(),
});

export const RETENTION_ANSWERS = {
  "audit.erase": z.strictObject({
    /** Sessions whose key is gone, sealed parts that were deleted, files that were. */
    sessions: z.int(),
    parts: z.int(),
    files: z.int(),
    /** Parts of others that were sealed anew: the key that they shared with what was erased is gone. */
    resealed: z.int(),
    /** The row `content.erased`. */
    row: z.int(),
    /** Made before, and out of reach. */
    exports: z.array(
      z.strictObject({ at: z.string(), digest: z.string(), disclosure: z.enum(["none", "commitments", "full"]) }),
    ),
    /** What else is out of reach, a sentence each. */
    unreachable: z.array(z.string()),
  }),
  "hold.add": HoldView,
  "hold.list": z.strictObject({ holds: z.array(HoldView) }),
  "hold.remove": HoldView,
  "audit.prune": z.strictObject({
    /** Bodies that went, and those that a hold kept. */
    rows: z.int(),
    held: z.int(),
    /** Sealed parts that went besides. */
    parts: z.int(),
    /** From this row on everything is there. */
    from: z.int(),
    /** The file was written anew, so that its room is free for others. */
    compacted: z.boolean(),
  }),
} as const;
