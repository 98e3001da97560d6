import * as z from "zod/mini";
import { AnchorUrl } from "./anchor-frames.ts";
import { ExportId, Name, PrincipalId, SessionId } from "./ids.ts";
import { RETENTION_ANSWERS, RETENTION_CALLS } from "./retention-calls.ts";

/** What the owner may ask of the record. */

/** A time as the log writes it. */
const Moment = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));

/** What rows are about. What a row does not say itself, its causes say: an outcome is of its intent's session, agent, channel and person. */
const About = {
  /** One kind, or a family by its beginning with the dot: `tool.`. */
  kind: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  session: z.optional(SessionId),
  agent: z.optional(Name),
  channel: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  /** Whom it was done for, or who decided it. */
  principal: z.optional(PrincipalId),
  tool: z.optional(z.string().check(z.minLength(1), z.maxLength(64))),
  /** Stands in content that can be opened, in any case of its letters. */
  text: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
} as const;

/** Which rows of the log: newest first unless `after` is given, then oldest first. */
export const RowFilter = z.strictObject({
  after: z.optional(z.int().check(z.gte(-1))),
  before: z.optional(z.int().check(z.gte(0))),
  limit: z.int().check(z.gte(1), z.lte(1000)),
  /** Not earlier than this. */
  since: z.optional(Moment),
  /** Earlier than this. */
  until: z.optional(Moment),
  ...About,
});
export type RowFilter = z.infer<typeof RowFilter>;

/** What an anchor is and where it lies. */
const NewAnchor = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("witness"),
    url: AnchorUrl,
    vkey: z.string().check(z.minLength(1), z.maxLength(256)),
  }),
  z.strictObject({
    type: z.literal("timestamp"),
    url: AnchorUrl,
    /** Those that are trusted to vouch for it, in DER as base64; without one its signature is not checked. */
    certificates: z.array(z.base64().check(z.maxLength(16_384))).check(z.maxLength(16)),
  }),
  /** An absolute path. */
  z.strictObject({ type: z.literal("file"), path: z.string().check(z.minLength(1), z.maxLength(1024)) }),
  z.strictObject({ type: z.literal("keychain") }),
]);

export const AUDIT_CALLS = [
  z.strictObject({ call: z.literal("audit.rows"), filter: RowFilter }),
  /** Each new row that fits, as a `row` event, until the caller goes away. */
  z.strictObject({ call: z.literal("audit.follow"), after: z.int().check(z.gte(-1)), filter: z.strictObject(About) }),
  z.strictObject({ call: z.literal("audit.explain"), seq: z.int().check(z.gte(0)) }),
  /** The rules and settings that were in force at a row; at the newest where null. */
  z.strictObject({ call: z.literal("policy.show"), seq: z.nullable(z.int().check(z.gte(0))) }),
  /** Who was let in, and what was remembered for them, at a time; now where null. */
  z.strictObject({ call: z.literal("people.report"), at: z.nullable(Moment) }),
  z.strictObject({ call: z.literal("audit.verify") }),
  /** Writes a folder that an outsider can verify. `progress` events meanwhile. */
  z.strictObject({
    call: z.literal("audit.export"),
    /** From the root of the file system. */
    out: z.string().check(z.minLength(1), z.maxLength(4096)),
    session: z.nullable(SessionId),
    /** Not earlier than this, and earlier than that. */
    since: z.nullable(Moment),
    until: z.nullable(Moment),
    content: z.enum(["none", "commitments", "full"]),
  }),
  z.strictObject({ call: z.literal("audit.checkpoint") }),
  /** `name` null: one is chosen. `later`: it need not answer now. */
  z.strictObject({
    call: z.literal("audit.anchor.add"),
    name: z.nullable(Name),
    anchor: NewAnchor,
    later: z.boolean(),
  }),
  z.strictObject({ call: z.literal("audit.anchor.list") }),
  z.strictObject({ call: z.literal("audit.anchor.remove"), name: Name }),
  z.strictObject({ call: z.literal("audit.key.show") }),
  z.strictObject({ call: z.literal("audit.key.rotate") }),
  z.strictObject({ call: z.literal("audit.acknowledge"), reason: z.string().check(z.minLength(1), z.maxLength(500)) }),
  ...RETENTION_CALLS,
] as const;

const Time = z.string().check(z.maxLength(24));

/** A row as it is shown: the body's own fields, and its content where it could be opened (`null`: erased or locked). */
export const RowView = z.strictObject({
  seq: z.int(),
  at: Time,
  kind: z.string(),
  cause: z.nullable(z.int()),
  fields: z.record(z.string(), z.unknown()),
  content: z.record(z.string(), z.nullable(z.string())),
});
export type RowView = z.infer<typeof RowView>;

/** The row that put something in force, and its text, which is content (`null`: erased, or the vault is locked). */
const InForceText = { row: z.int(), since: Time, digest: z.string(), text: z.nullable(z.string()) } as const;

/** `audit.verify`: the verifier's own value, and the sentences it says. */
export const VerdictView = z.strictObject({
  state: z.enum(["good", "broken", "unchecked"]),
  sentences: z.array(z.string()),
  verdict: z.record(z.string(), z.unknown()),
});

const AnchorView = z.strictObject({
  name: z.string(),
  type: z.enum(["witness", "timestamp", "file", "keychain"]),
  place: z.nullable(z.string()),
  vkey: z.nullable(z.string()),
  /** Of a timestamp authority: SHA-256 of each certificate that vouches for it, hex. */
  pins: z.array(z.string()),
  /** `never`: it has not answered yet. `new-key`: it awaits the log's new key. */
  state: z.enum(["never", "good", "unreachable", "refused", "conflict", "new-key", "bad-answer"]),
  /** Rows that it holds, the time of the last of them, and rows newer than that. */
  size: z.int(),
  time: z.nullable(Time),
  newer: z.int(),
  note: z.nullable(z.string()),
});

/** What each of these calls answers with, as the JSON payload of its `answer`. */
export const AUDIT_ANSWERS = {
  /** `next`: the answer was full before the limit was reached; where to go on (`before`, or `after` where that was given), or null. */
  "audit.rows": z.strictObject({
    rows: z.array(RowView),
    size: z.int(),
    next: z.nullable(z.int()),
    /** Rows that fit and cannot be read: they were changed, or a newer build wrote them. */
    unread: z.array(z.int()),
  }),
  "audit.follow": z.strictObject({}),
  /** `held`: what was in force then, in sentences. */
  "audit.explain": z.strictObject({
    chain: z.array(RowView),
    sentences: z.array(z.string()),
    held: z.array(z.string()),
  }),
  "policy.show": z.strictObject({
    seq: z.int(),
    at: Time,
    policy: z.nullable(z.strictObject({ ...InForceText })),
    agents: z.array(z.strictObject({ agent: z.string(), provider: z.string(), model: z.string(), ...InForceText })),
  }),
  "people.report": z.strictObject({
    seq: z.int(),
    at: Time,
    people: z.array(
      z.strictObject({
        principal: z.string(),
        /** Null once it was erased. */
        name: z.nullable(z.string()),
        role: z.string(),
        since: Time,
        row: z.int(),
        by: z.string(),
        via: z.string(),
        channels: z.array(z.string()),
      }),
    ),
    grants: z.array(
      z.strictObject({
        grant: z.string(),
        key: z.string(),
        agent: z.string(),
        principal: z.string(),
        channel: z.string(),
        session: z.nullable(z.string()),
        since: Time,
        until: Time,
        row: z.int(),
        by: z.string(),
        via: z.string(),
      }),
    ),
  }),
  "audit.verify": VerdictView,
  "audit.export": z.strictObject({
    export: ExportId,
    out: z.string(),
    /** Disclosed, of so many that the tree has. */
    rows: z.int(),
    size: z.int(),
    from: z.int(),
    to: z.int(),
    proofs: z.int(),
    /** Content parts that were opened. */
    parts: z.int(),
    files: z.int(),
    bytes: z.int(),
    /** SHA-256 of its manifest: it stands for the whole folder, and is on the log. */
    digest: z.string(),
    vkey: z.string(),
  }),
  "audit.checkpoint": z.strictObject({ size: z.int(), note: z.string() }),
  "audit.anchor.add": z.strictObject({ anchor: AnchorView, notes: z.array(z.string()) }),
  "audit.anchor.list": z.strictObject({ anchors: z.array(AnchorView) }),
  "audit.anchor.remove": z.strictObject({ removed: z.string() }),
  "audit.key.show": z.strictObject({
    origin: z.string(),
    /** Oldest first; a key signs checkpoints of more than `from` rows, up to and with `to`. */
    epochs: z.array(
      z.strictObject({
        epoch: z.int(),
        vkey: z.string(),
        protector: z.enum(["none", "keychain", "passphrase"]),
        from: z.int(),
        to: z.nullable(z.int()),
        since: Time,
      }),
    ),
  }),
  /** `witnesses`: anchors whose operators have to add the new key. */
  "audit.key.rotate": z.strictObject({
    epoch: z.int(),
    vkey: z.string(),
    size: z.int(),
    pinned: z.boolean(),
    witnesses: z.array(z.string()),
  }),
  "audit.acknowledge": z.strictObject({ acknowledged: z.array(z.string()) }),
  ...RETENTION_ANSWERS,
} as const;
