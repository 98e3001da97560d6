import * as z from "zod/mini";
import { AdapterChannel, LOCAL_CHANNELS } from "./channel.ts";
import { GrantId, Name, PrincipalId } from "./ids.ts";

/** What the owner may ask about approvals that are remembered, and about what would be decided. */

const Channel = z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]);
/** The class of an action, such as exec:rw. */
const Key = z.string().check(z.minLength(1), z.maxLength(128));
const Time = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));

export const GRANT_CALLS = [
  z.strictObject({ call: z.literal("grant.list") }),
  z.strictObject({ call: z.literal("grant.show"), grant: GrantId }),
  z.strictObject({
    call: z.literal("grant.add"),
    key: Key,
    agent: Name,
    principal: PrincipalId,
    channel: Channel,
    until: Time,
    /** How often it may be used; null: as often as one likes until then. */
    uses: z.nullable(z.int().check(z.gte(1), z.lte(1_000_000))),
  }),
  z.strictObject({ call: z.literal("grant.revoke"), grant: GrantId }),
  z.strictObject({
    call: z.literal("policy.test"),
    key: Key,
    agent: Name,
    principal: PrincipalId,
    channel: Channel,
    /** What would have to change for it to be done without a question is wanted too. */
    whyNot: z.optional(z.boolean()),
  }),
] as const;

const GrantView = z.strictObject({
  grant: z.string(),
  key: z.string(),
  /** What it covers, in words. */
  means: z.string(),
  agent: z.string(),
  principal: z.string(),
  /** Null for somebody who is out or erased. */
  name: z.nullable(z.string()),
  channel: z.string(),
  /** For this conversation only. */
  session: z.nullable(z.string()),
  until: z.string(),
  left: z.nullable(z.int()),
  /** The row that gave it. */
  row: z.int(),
});
export type GrantView = z.infer<typeof GrantView>;

export const GRANT_ANSWERS = {
  "grant.list": z.strictObject({ grants: z.array(GrantView) }),
  "grant.show": GrantView,
  "grant.add": GrantView,
  "grant.revoke": GrantView,
  "policy.test": z.strictObject({
    verdict: z.enum(["allow", "ask", "refuse"]),
    tier: z.int(),
    reason: z.string(),
    /** The row of the grant that it rests on. */
    rests: z.nullable(z.int()),
    /** What may be chosen where it asks. */
    scopes: z.array(z.string()),
    /** Who has to approve it together. */
    people: z.int(),
    /** Single things that would change it, where they were asked for. */
    changes: z.array(
      z.strictObject({ what: z.string(), verdict: z.enum(["allow", "ask", "refuse"]), reason: z.string() }),
    ),
  }),
} as const;
