import * as z from "zod/mini";
import { IncidentId } from "./ids.ts";

/** What the owner may ask about an incident: a time in which nobody knows who has what. */

const Reason = z.string().check(z.minLength(1), z.maxLength(500));
const Scope = z.string().check(z.maxLength(215), z.regex(/^[a-z]{1,16}(\/[a-z0-9_:-]{1,64}){1,3}$/));

export const INCIDENT_CALLS = [
  z.strictObject({
    call: z.literal("incident.open"),
    reason: Reason,
    /** A folder that is not there yet, from the root of the file system. */
    out: z.string().check(z.minLength(1), z.maxLength(4096)),
  }),
  z.strictObject({ call: z.literal("incident.show") }),
  z.strictObject({
    call: z.literal("incident.close"),
    waive: z.array(z.strictObject({ scope: Scope, reason: Reason })).check(z.maxLength(1_000)),
  }),
] as const;

const CredentialView = z.strictObject({
  scope: z.string(),
  account: z.nullable(z.string()),
  /** Where it is made worthless, at its platform; null where we know no place. */
  revoke: z.nullable(z.string()),
  /** The command that puts another in its place. */
  rotate: z.string(),
  /** `unconfirmed`: there is a newer one, which nothing has worked with yet. */
  state: z.enum(["to rotate", "unconfirmed", "rotated", "removed", "waived"]),
});

const IncidentView = z.strictObject({
  incident: IncidentId,
  at: z.string(),
  /** Null where it was erased. */
  reason: z.nullable(z.string()),
  credentials: z.array(CredentialView),
});
export type IncidentView = z.infer<typeof IncidentView>;

export const INCIDENT_ANSWERS = {
  "incident.open": z.strictObject({
    ...IncidentView.shape,
    /** Turns that ran and were ended. */
    ended: z.int(),
    /** Rows that the checkpoint of this incident covers; null where the log took none. */
    checkpoint: z.nullable(z.int()),
    exported: z.nullable(z.strictObject({ out: z.string(), rows: z.int(), digest: z.string(), vkey: z.string() })),
    /** What could not be done, a sentence each: the incident is open all the same. */
    problems: z.array(z.string()),
  }),
  /** Null: none is open. */
  "incident.show": z.strictObject({ open: z.nullable(IncidentView) }),
  "incident.close": z.strictObject({ ...IncidentView.shape, resumed: z.boolean() }),
} as const;
