import * as z from "zod/mini";

/** What the owner may ask about skills. */

const Name = z.string().check(z.regex(/^[a-z0-9-]{1,64}$/));
const Digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const Time = z.string().check(z.maxLength(24));
const Names = z.string().check(z.regex(/^[a-z0-9*-]{1,64}$/));

/** Where a skill is taken from. An archive, or SKILL.md's text, is the payload of its call. */
const Source = z.discriminatedUnion("from", [
  z.strictObject({
    from: z.literal("folder"),
    path: z.string().check(z.minLength(1), z.maxLength(4096), z.regex(/^\/[^\0]*$/)),
  }),
  z.strictObject({
    from: z.literal("archive"),
    path: z.string().check(z.minLength(1), z.maxLength(4096)),
    kind: z.enum(["zip", "tar.gz"]),
  }),
  z.strictObject({
    from: z.literal("url"),
    url: z.string().check(z.maxLength(2048), z.regex(/^https:\/\//, "write https://HOST/…")),
  }),
  z.strictObject({ from: z.literal("name"), name: Name }),
]);
export type SkillSource = z.infer<typeof Source>;

export const SKILL_CALLS = [
  z.strictObject({ call: z.literal("skill.list") }),
  z.strictObject({ call: z.literal("skill.show"), name: Name }),
  /** Checks one, or all that are there. */
  z.strictObject({ call: z.literal("skill.verify"), name: z.nullable(Name) }),
  /** What would be installed, and what it wants. Nothing of it is in use then. */
  z.strictObject({ call: z.literal("skill.look"), source: Source }),
  /** What was looked at, by its digest: its wants are accepted. */
  z.strictObject({ call: z.literal("skill.install"), digest: Digest }),
  z.strictObject({ call: z.literal("skill.remove"), name: Name }),
  z.strictObject({
    call: z.literal("skill.trust"),
    vkey: z.string().check(z.maxLength(256)),
    names: Names,
    until: z.nullable(Time),
    own: z.boolean(),
  }),
  /** The payload is a PEM file with one certificate: whoever has one under it. */
  z.strictObject({
    call: z.literal("skill.trust-root"),
    names: Names,
    /** Whom a certificate must name, in which * stands for any characters; null: anybody. */
    identity: z.nullable(z.string().check(z.minLength(1), z.maxLength(200))),
    until: z.nullable(Time),
    own: z.boolean(),
  }),
  /** By the key, or its name where only one is called that; a root by its name or its fingerprint. */
  z.strictObject({ call: z.literal("skill.untrust"), key: z.string().check(z.maxLength(256)) }),
  /** What is on the list that config.json names. */
  z.strictObject({ call: z.literal("skill.index") }),
  /** The payload is SKILL.md: its front matter, read. */
  z.strictObject({ call: z.literal("skill.read") }),
] as const;

const Sentences = z.array(z.string());
const KeyView = z.strictObject({
  /** The public key; of a root its fingerprint, as 64 hex digits. */
  vkey: z.string(),
  of: z.enum(["key", "root"]),
  /** Of a root: whom certificates under it must name. */
  identity: z.nullable(z.string()),
  name: z.string(),
  names: z.string(),
  until: z.nullable(Time),
  own: z.boolean(),
  /** `shipped`: with this build. */
  state: z.enum(["trusted", "expired", "revoked", "shipped"]),
});
const SkillView = z.strictObject({
  name: z.string(),
  version: z.nullable(z.string()),
  description: z.nullable(z.string()),
  digest: z.nullable(z.string()),
  from: z.enum(["bundled", "installed"]),
  /** `off`: it is shipped, and what it wants was not accepted. `refused`: `note` says why. */
  state: z.enum(["active", "off", "refused"]),
  signer: z.nullable(z.string()),
  wants: Sentences,
  /** What of the machine it needs and is not there. */
  lacks: Sentences,
  note: z.nullable(z.string()),
});
const Looked = z.strictObject({
  name: z.string(),
  version: z.string(),
  description: z.string(),
  digest: Digest,
  signer: z.string(),
  own: z.boolean(),
  files: z.int(),
  wants: Sentences,
  /** Null: nothing of that name is in use. */
  installed: z.nullable(z.string()),
  /** What it wants that the one in use does not. */
  more: Sentences,
  lacks: Sentences,
});
const Permission = z.array(z.string());

export const SKILL_ANSWERS = {
  "skill.list": z.strictObject({ skills: z.array(SkillView), keys: z.array(KeyView) }),
  "skill.show": z.extend(SkillView, {
    files: z.array(z.strictObject({ path: z.string(), size: z.int(), mode: z.string(), sha256: z.string() })),
    instructions: z.nullable(z.string()),
    source: z.nullable(z.string()),
  }),
  "skill.verify": z.strictObject({ skills: z.array(SkillView) }),
  "skill.look": Looked,
  "skill.install": SkillView,
  "skill.remove": z.strictObject({ name: z.string() }),
  "skill.trust": KeyView,
  "skill.trust-root": KeyView,
  "skill.untrust": KeyView,
  "skill.index": z.strictObject({
    skills: z.array(z.strictObject({ name: Name, version: z.string(), description: z.string() })),
  }),
  "skill.read": z.strictObject({
    name: z.string(),
    description: z.string(),
    license: z.nullable(z.string()),
    compatibility: z.nullable(z.string()),
    version: z.nullable(z.string()),
    permissions: z.strictObject({
      commands: Permission,
      credentials: Permission,
      hosts: Permission,
      read: Permission,
      tools: Permission,
      write: Permission,
    }),
    requires: z.strictObject({ anyBins: Permission, bins: Permission, env: Permission, os: Permission }),
    notes: Sentences,
  }),
} as const;
