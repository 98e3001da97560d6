import * as z from "zod";
import { SessionId } from "./ids.ts";

/** What the owner may ask of the record. */

/** Which rows of the log: newest first unless `after` is given, then oldest first. */
export const RowFilter = z.strictObject({
  after: z.int().min(-1).optional(),
  before: z.int().min(0).optional(),
  limit: z.int().min(1).max(1000),
  kind: z.string().max(64).optional(),
  session: SessionId.optional(),
});
export type RowFilter = z.infer<typeof RowFilter>;

export const AUDIT_CALLS = [
  z.strictObject({ call: z.literal("audit.rows"), filter: RowFilter }),
  z.strictObject({ call: z.literal("audit.explain"), seq: z.int().min(0) }),
  z.strictObject({ call: z.literal("audit.verify") }),
  z.strictObject({ call: z.literal("audit.checkpoint") }),
  z.strictObject({ call: z.literal("audit.acknowledge"), reason: z.string().min(1).max(500) }),
] as const;

const Time = z.string().max(24);

/** A row as it is shown: the body's own fields, and its content where it could be opened (`null`: erased or locked). */
export const RowView = z.strictObject({
  seq: z.int(),
  at: Time,
  kind: z.string(),
  cause: z.int().nullable(),
  fields: z.record(z.string(), z.unknown()),
  content: z.record(z.string(), z.string().nullable()),
});
export type RowView = z.infer<typeof RowView>;

/** `audit.verify`: the verifier's own value, and the sentences it says. */
export const VerdictView = z.strictObject({
  state: z.enum(["good", "broken", "unchecked"]),
  sentences: z.array(z.string()),
  verdict: z.record(z.string(), z.unknown()),
});

/** What each of these calls answers with, as the JSON payload of its `answer`. */
export const AUDIT_ANSWERS = {
  "audit.rows": z.strictObject({ rows: z.array(RowView), size: z.int() }),
  "audit.explain": z.strictObject({ chain: z.array(RowView), sentences: z.array(z.string()) }),
  "audit.verify": VerdictView,
  "audit.checkpoint": z.strictObject({ size: z.int(), note: z.string() }),
  "audit.acknowledge": z.strictObject({ acknowledged: z.array(z.string()) }),
} as const;
