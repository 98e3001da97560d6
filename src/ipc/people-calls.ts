import * as z from "zod/mini";
import { AdapterChannel } from "./channel.ts";
import { ExportId, PrincipalId } from "./ids.ts";

/** What the owner may ask about people who were let in. */

export const Role = z.enum(["user", "approver", "owner"]);
export type Role = z.infer<typeof Role>;

/** The platform's stable id of somebody, as pairings name it. */
const SenderText = z.string().check(z.minLength(1), z.maxLength(256));
export const PairingCode = z.string().check(z.regex(/^[0-9A-HJKMNP-TV-Z]{8}$/));

/** Where somebody is known, or how they become so. */
const LinkWay = z.discriminatedUnion("way", [
  /** Whoever has this id on the platform. */
  z.strictObject({ way: z.literal("id"), channel: AdapterChannel, id: SenderText }),
  /** A stranger who waits, by the code that they were given. */
  z.strictObject({ way: z.literal("code"), code: PairingCode }),
  /** Whoever says a new code there first. */
  z.strictObject({ way: z.literal("invite"), channel: AdapterChannel }),
]);
export type LinkWay = z.infer<typeof LinkWay>;

export const PEOPLE_CALLS = [
  z.strictObject({ call: z.literal("people.show"), principal: PrincipalId }),
  z.strictObject({ call: z.literal("people.role"), principal: PrincipalId, role: Role }),
  z.strictObject({ call: z.literal("people.link"), principal: PrincipalId, to: LinkWay }),
  /** `id` null: the only one that they have there. */
  z.strictObject({
    call: z.literal("people.unlink"),
    principal: PrincipalId,
    channel: AdapterChannel,
    id: z.nullable(SenderText),
  }),
  z.strictObject({ call: z.literal("people.remove"), principal: PrincipalId }),
  z.strictObject({ call: z.literal("people.transfer"), from: PrincipalId, to: PrincipalId }),
  /** Writes what is theirs into a folder that is not there yet; `out` from the root of the file system. */
  z.strictObject({
    call: z.literal("people.export"),
    principal: PrincipalId,
    out: z.string().check(z.minLength(1), z.maxLength(4096)),
  }),
  /** May they decide tier 3 on the only channel that they have? */
  z.strictObject({ call: z.literal("people.same-channel"), principal: PrincipalId, allowed: z.boolean() }),
] as const;

const Identity = z.strictObject({ channel: z.string(), id: z.string(), name: z.string() });
const PersonView = z.strictObject({
  principal: z.string(),
  name: z.string(),
  role: Role,
  identities: z.array(Identity),
});

/** A credential that somebody enrolled, and the command that replaces it. */
const Enrolled = z.strictObject({ scope: z.string(), rotate: z.string() });

export const PEOPLE_ANSWERS = {
  "people.show": z.strictObject({
    ...PersonView.shape,
    /** Turns that run for them, approvals that are remembered for them, those that they gave, and schedules of theirs. */
    turns: z.int(),
    grants: z.int(),
    given: z.int(),
    schedules: z.int(),
    credentials: z.array(Enrolled),
    /** The terminal and the page act as them. */
    local: z.boolean(),
  }),
  "people.role": PersonView,
  /** `code`: what an invitation is taken up with, until then. */
  "people.link": z.strictObject({
    ...PersonView.shape,
    code: z.nullable(z.strictObject({ code: z.string(), channel: z.string(), until: z.string() })),
  }),
  "people.unlink": PersonView,
  "people.same-channel": z.strictObject({
    principal: z.string(),
    name: z.string(),
    channel: z.nullable(z.string()),
    allowed: z.boolean(),
  }),
  "people.remove": z.strictObject({
    principal: z.string(),
    name: z.string(),
    /** The row that says so, and the cause of all that ended with it. */
    row: z.int(),
    turns: z.int(),
    approvals: z.int(),
    grants: z.int(),
    schedules: z.int(),
    logins: z.int(),
    credentials: z.array(Enrolled),
    /** As whom the terminal and the page act from now on, where that changed. */
    local: z.nullable(z.string()),
  }),
  "people.transfer": z.strictObject({
    from: z.string(),
    to: z.string(),
    schedules: z.int(),
    grants: z.int(),
    folders: z.int(),
    /** What was not handed over, and why, a sentence each. */
    stays: z.array(z.string()),
  }),
  "people.export": z.strictObject({
    export: ExportId,
    out: z.string(),
    rows: z.int(),
    bytes: z.int(),
    /** SHA-256 of what was written, hex. */
    digest: z.string(),
  }),
} as const;
