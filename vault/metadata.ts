import { time } from "../audit/field.ts";
import { VaultError } from "./error.ts";

/** What is known of a credential besides its bytes: not secret, but sealed in with them, so that it cannot be changed alone. */
export interface Metadata {
  /** When this version was enrolled: `2026-11-23T22:31:00.000Z`. */
  readonly created: string;
  /** When its platform last said that it is good; null: never checked. */
  readonly checked: string | null;
  /** What the platform calls the account, as shown to the owner. */
  readonly account: string | null;
  /** The only hosts it may be used with; empty: those its compartment is made for. */
  readonly hosts: readonly string[];
  /** The header that a request carries it in, as the whole of its value; left out: `authorization`, behind `Bearer`. */
  readonly header?: string;
  readonly expires: string | null;
  readonly rotationDue: string | null;
}

const MAX_ACCOUNT = 256;
const MAX_HOSTS = 32;
const MAX_BYTES = 16_384;
/** A token of RFC 9110 in lower case. */
const HEADER = /^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const HOST = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** @returns one JSON object, keys sorted, no spaces, UTF-8: one form for one meaning. @throws {VaultError} VAULT_REFUSED for a value of no use. */
export function encodeMetadata(given: Metadata): Uint8Array {
  return utf8.encode(textOf(given));
}

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(given: Metadata): string {
  for (const [name, at] of Object.entries({
    checked: given.checked,
    expires: given.expires,
    rotationDue: given.rotationDue,
  }))
    if (at !== null && !time.admits(at)) refuse(`${name} is not a time such as 2026-11-23T22:31:00.000Z`);
  if (!time.admits(given.created)) refuse("created is not a time such as 2026-11-23T22:31:00.000Z");
  if (given.account !== null && (given.account.length > MAX_ACCOUNT || !given.account.isWellFormed()))
    refuse(`account name is over ${MAX_ACCOUNT} characters, or no text`);
  if (given.hosts.length > MAX_HOSTS || !given.hosts.every((host) => HOST.test(host)))
    refuse(`hosts are over ${MAX_HOSTS}, or not all host names in lower case`);
  if (given.header !== undefined && !HEADER.test(given.header)) refuse("header is not the name of one in lower case");
  const { account, checked, created, expires, header, hosts, rotationDue } = given;
  return JSON.stringify({ account, checked, created, expires, header, hosts, rotationDue });
}

/** @throws {VaultError} VAULT_DAMAGED unless the bytes are exactly what {@link encodeMetadata} makes. */
export function decodeMetadata(bytes: Uint8Array): Metadata {
  if (bytes.length > MAX_BYTES) throw damaged();
  let metadata: Metadata;
  let same: boolean;
  try {
    const text = fromUtf8.decode(bytes);
    const value: unknown = JSON.parse(text);
    if (!isMetadata(value)) throw damaged();
    metadata = value;
    // One form of text has one form of bytes: what is no UTF-8 was refused.
    same = textOf(value) === text;
  } catch (cause) {
    throw damaged(cause);
  }
  if (!same) throw damaged();
  return metadata;
}

const decoded = new WeakMap<Uint8Array, Metadata>();

/** {@link decodeMetadata} of bytes that do not change: those of a row are read once, however often it is listed. */
export function metadataOf(bytes: Uint8Array): Metadata {
  const known = decoded.get(bytes);
  if (known !== undefined) return known;
  const made = decodeMetadata(bytes);
  decoded.set(bytes, made);
  return made;
}

function refuse(why: string): never {
  throw new VaultError("VAULT_REFUSED", `The credential's ${why}`);
}

function damaged(cause?: unknown): VaultError {
  return new VaultError("VAULT_DAMAGED", "The metadata of a credential is not of a known form", { cause });
}

function isMetadata(value: unknown): value is Metadata {
  if (typeof value !== "object" || value === null) return false;
  const textOrNull = (name: string): boolean => {
    const field: unknown = Reflect.get(value, name);
    return field === null || typeof field === "string";
  };
  const hosts: unknown = Reflect.get(value, "hosts");
  const header: unknown = Reflect.get(value, "header");
  return (
    typeof Reflect.get(value, "created") === "string" &&
    ["checked", "account", "expires", "rotationDue"].every(textOrNull) &&
    (header === undefined || typeof header === "string") &&
    Array.isArray(hosts) &&
    hosts.every((host) => typeof host === "string")
  );
}
