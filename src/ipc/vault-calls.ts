import * as z from "zod/mini";
import { HeaderName } from "./fetch-frames.ts";

/** What the owner may ask of the vault. */

/** A vault scope that holds credentials: `channel/slack`, `provider/anthropic`, `secret/name` for a skill or an MCP server, or `network/proxy`. */
export const CredentialScope = z
  .string()
  .check(z.regex(/^((channel|provider|secret)\/[a-z0-9][a-z0-9:-]{0,64}|network\/proxy)$/));

/** Whether there is a platform that can be asked whether what is kept in a scope works. */
export function canBeChecked(scope: string): boolean {
  return scope.startsWith("channel/") || scope.startsWith("provider/");
}

const Time = z.string().check(z.maxLength(24));
/** A time as the log writes it. */
const Moment = z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/));
const Host = z.string().check(z.regex(/^[a-z0-9.-]{1,253}$/));

export const VAULT_CALLS = [
  /** The payload is the credentials as named bytes. `check: false` saves them unchecked. */
  z.strictObject({
    call: z.literal("vault.add"),
    scope: CredentialScope,
    check: z.boolean(),
    /** It is refused from then on. */
    expires: z.optional(z.nullable(Moment)),
    /** By then it should be replaced. */
    rotationDue: z.optional(z.nullable(Moment)),
    /** The only hosts that a request may carry it to. */
    hosts: z.optional(z.array(Host).check(z.maxLength(32))),
    /** The header that a request carries it in, as its whole value; null: `authorization`, behind `Bearer`. */
    header: z.optional(z.nullable(HeaderName)),
  }),
  /** As `vault.add`, for a scope that there is; what is not given is kept from the version before. It is in use, without a restart, before this is answered. */
  z.strictObject({
    call: z.literal("vault.rotate"),
    scope: CredentialScope,
    check: z.boolean(),
    expires: z.optional(z.nullable(Moment)),
    rotationDue: z.optional(z.nullable(Moment)),
    hosts: z.optional(z.nullable(z.array(Host).check(z.maxLength(32)))),
    header: z.optional(z.nullable(HeaderName)),
  }),
  /** Asks a credential's platform whether it still works. */
  z.strictObject({ call: z.literal("vault.check"), scope: CredentialScope }),
  /** Scopes after `after` in the order of their names, as many as an answer holds. */
  z.strictObject({ call: z.literal("vault.list"), after: z.optional(z.nullable(CredentialScope)) }),
  z.strictObject({ call: z.literal("vault.remove"), scope: CredentialScope }),
  /** What protects the vault, and whether it is open. */
  z.strictObject({ call: z.literal("vault.status") }),
  /** Moves the vault behind the keychain, or behind the passphrase in the payload. */
  z.strictObject({ call: z.literal("vault.protect"), protector: z.enum(["keychain", "passphrase"]) }),
  /** The payload is the passphrase. */
  z.strictObject({ call: z.literal("vault.unlock") }),
  /** Wipes what opens credentials, and ends what holds one. */
  z.strictObject({ call: z.literal("vault.lock") }),
  /** A new master under the same protector (the payload is the passphrase, where that is one), or a new key for one scope. */
  z.strictObject({ call: z.literal("vault.rekey"), scope: z.nullable(CredentialScope) }),
  /** The payload is the public half of a phrase that was written down and typed: 32 bytes. */
  z.strictObject({ call: z.literal("vault.recovery.create") }),
  /** Writes everything in the vault to a file that must not be there yet. The payload is a passphrase for it, or nothing: then the recovery phrase opens it. */
  z.strictObject({ call: z.literal("vault.backup"), out: z.string().check(z.minLength(1), z.maxLength(4096)) }),
  /** What to have at hand when everything else is lost. */
  z.strictObject({ call: z.literal("recovery.sheet") }),
] as const;

export const VaultStatus = z.strictObject({
  state: z.enum(["open", "locked", "unreachable"]),
  protector: z.enum(["none", "keychain", "passphrase"]),
  /** Can the OS keychain be used here, as probed just now? */
  keychain: z.enum(["works", "locked", "absent", "unreachable"]),
  /** Was a recovery phrase made? Null: not known while the vault was never open. */
  recovery: z.nullable(z.boolean()),
  sentence: z.string(),
});
export type VaultStatus = z.infer<typeof VaultStatus>;

export const CheckResult = z.enum(["good", "refused", "unreachable"]);

export const CredentialView = z.strictObject({
  scope: z.string(),
  names: z.array(z.string()),
  version: z.int(),
  /** The version that is gone back to should this one not work; null: this one is confirmed, or the first. */
  fallback: z.nullable(z.int()),
  created: Time,
  checked: z.boolean(),
  /** What its platform said when it was asked the last time since it was saved. */
  lastCheck: z.nullable(z.strictObject({ result: CheckResult, at: Time })),
  account: z.nullable(z.string()),
  expires: z.nullable(Time),
  rotationDue: z.nullable(Time),
  lastUsed: z.nullable(Time),
  hosts: z.array(z.string()),
  header: z.nullable(z.string()),
});
export type CredentialView = z.infer<typeof CredentialView>;

const VIEW_FIELDS = Object.keys(CredentialView.shape).length;
const MAX_TIME = 24;

function isTime(value: unknown): boolean {
  return typeof value === "string" && value.length <= MAX_TIME;
}
function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
function isCheck(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== 2) return false;
  return "result" in value && CheckResult.safeParse(value.result).success && "at" in value && isTime(value.at);
}

/** What {@link CredentialView} says of a value, in a tenth of the time: a vault may list ten thousand. */
export function isCredentialView(value: unknown): value is CredentialView {
  if (typeof value !== "object" || value === null || Object.keys(value).length !== VIEW_FIELDS) return false;
  const field = (name: keyof CredentialView): unknown => Reflect.get(value, name);
  const orNull = (name: keyof CredentialView, is: (found: unknown) => boolean): boolean =>
    field(name) === null || is(field(name));
  return (
    typeof field("scope") === "string" &&
    isTexts(field("names")) &&
    Number.isSafeInteger(field("version")) &&
    orNull("fallback", Number.isSafeInteger) &&
    isTime(field("created")) &&
    typeof field("checked") === "boolean" &&
    orNull("lastCheck", isCheck) &&
    orNull("account", (found) => typeof found === "string") &&
    orNull("expires", isTime) &&
    orNull("rotationDue", isTime) &&
    orNull("lastUsed", isTime) &&
    isTexts(field("hosts")) &&
    orNull("header", (found) => typeof found === "string")
  );
}

/** What each call answers with. */
export const VAULT_ANSWERS = {
  "vault.add": z.strictObject({
    checked: z.boolean(),
    account: z.nullable(z.string()),
    /** What happened besides, as sentences: protected by the keychain, now agent default's model, channel enabled, … */
    notes: z.array(z.string()),
    /** The link or code whose first sender is the owner. */
    owner: z.nullable(z.strictObject({ code: z.string(), link: z.nullable(z.string()), until: Time })),
  }),
  "vault.rotate": z.strictObject({
    checked: z.boolean(),
    account: z.nullable(z.string()),
    version: z.int(),
    /** `candidate`: its platform could not be asked, and the version before goes on. */
    state: z.enum(["in-use", "candidate"]),
    notes: z.array(z.string()),
  }),
  "vault.check": z.strictObject({
    scope: z.string(),
    result: CheckResult,
    account: z.nullable(z.string()),
    /** Why it is not good. */
    sentence: z.nullable(z.string()),
  }),
  /** `more`: ask again with the last scope as `after`. */
  "vault.list": z.strictObject({
    status: VaultStatus,
    credentials: z.array(z.custom<CredentialView>(isCredentialView)),
    more: z.boolean(),
  }),
  "vault.remove": z.strictObject({ removed: z.int() }),
  "vault.status": VaultStatus,
  "vault.protect": VaultStatus,
  "vault.unlock": VaultStatus,
  "vault.lock": VaultStatus,
  "vault.rekey": VaultStatus,
  "vault.recovery.create": VaultStatus,
  "vault.backup": z.strictObject({ path: z.string(), bytes: z.int(), opens: z.enum(["phrase", "passphrase", "both"]) }),
  "recovery.sheet": z.strictObject({
    origin: z.string(),
    vkey: z.string(),
    protector: VaultStatus.shape.protector,
    recovery: z.boolean(),
    anchors: z.array(z.strictObject({ name: z.string(), type: z.string(), place: z.nullable(z.string()) })),
    credentials: z.array(
      z.strictObject({ scope: z.string(), account: z.nullable(z.string()), revoke: z.nullable(z.string()) }),
    ),
  }),
} as const;
