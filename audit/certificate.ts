import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { DerError, DerReader, TAG, type Tlv } from "./der.ts";

/** Certificates of RFC 5280, as far as a timestamp's signer needs them. What is not understood and marked critical refuses the certificate. */

/** Smaller moduli are broken, or soon. */
const RSA_BITS = 2048;
const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1", "secp521r1"]);
const MAX_EXTENSIONS = 64;

/** Signature algorithms by object identifier, in hex: their hash, and the type of their key. Those with SHA-1 or MD5 are not here. */
const ALGORITHMS: Readonly<Record<string, readonly [hash: string, key: "rsa" | "ec"]>> = {
  "2a864886f70d01010b": ["sha256", "rsa"],
  "2a864886f70d01010c": ["sha384", "rsa"],
  "2a864886f70d01010d": ["sha512", "rsa"],
  "2a8648ce3d040302": ["sha256", "ec"],
  "2a8648ce3d040303": ["sha384", "ec"],
  "2a8648ce3d040304": ["sha512", "ec"],
};

const EXTENSION = { keyUsage: "551d0f", basicConstraints: "551d13", purposes: "551d25", keyId: "551d0e" } as const;
/** Understood, or without a bearing on whether a timestamp is good: names of other kinds, policies, where revocations are listed. */
const HARMLESS: ReadonlySet<string> = new Set([
  ...Object.values(EXTENSION),
  "551d11",
  "551d12",
  "551d1f",
  "551d20",
  "551d23",
]);

export interface Certificate {
  /** All of it. */
  readonly der: Buffer;
  /** What its issuer signed, with which algorithm (an object identifier, hex), and the signature. */
  readonly signed: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
  /** The DER integer, and names byte for byte. */
  readonly serial: Buffer;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** Milliseconds since 1970, both included. */
  readonly from: number;
  readonly until: number;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  /** May it certify others, and how many certificates of that kind may follow; null: any number. */
  readonly certifies: boolean;
  readonly pathLength: number | null;
  /** May it sign what is not a certificate? */
  readonly signs: boolean;
  /** What its key is for, if it says so: object identifiers in hex. */
  readonly purposes: { readonly oids: readonly string[]; readonly critical: boolean } | null;
  /** Its subject key identifier, or null. */
  readonly keyId: Buffer | null;
}

/** Does `key` say that it signed this? @param algorithm an object identifier in hex. @returns also false for an algorithm or a key that is too weak, or unknown. */
export function isSigned(algorithm: string, key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  const [hash, type] = ALGORITHMS[algorithm] ?? [];
  if (hash === undefined || type !== key.asymmetricKeyType) return false;
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (type === "rsa" ? modulusLength < RSA_BITS : !CURVES.has(namedCurve)) return false;
  try {
    return verify(hash, data, key, signature);
  } catch {
    return false;
  }
}

/** @returns null for a key of a kind that is not known here. */
export function publicKeyOf({ publicKey }: Certificate): KeyObject | null {
  try {
    return createPublicKey({ key: publicKey, format: "der", type: "spki" });
  } catch {
    return null;
  }
}

/** An algorithm without parameters: an object identifier, hex. @throws {DerError}. */
export function algorithmIn({ body }: Tlv): string {
  const reader = new DerReader(body);
  const oid = reader.next(TAG.oid).body.toString("hex");
  if (reader.maybe(TAG.nothing)?.body.length) throw new DerError("an algorithm has parameters where it has none");
  reader.end();
  return oid;
}

/** @throws {DerError}. */
export function readCertificate(bytes: Uint8Array): Certificate {
  const outer = new DerReader(bytes);
  const whole = outer.next(TAG.sequence);
  outer.end();
  const parts = new DerReader(whole.body);
  const signed = parts.next(TAG.sequence);
  const algorithm = algorithmIn(parts.next(TAG.sequence));
  const signature = bitsIn(parts.next(TAG.bits));
  parts.end();

  const reader = new DerReader(signed.body);
  const version = reader.maybe(TAG.c0);
  if (version === null || !version.body.equals(Buffer.of(TAG.integer, 1, 2)))
    throw new DerError("a certificate is not of version 3");
  const serial = reader.next(TAG.integer).whole;
  if (algorithmIn(reader.next(TAG.sequence)) !== algorithm)
    throw new DerError("a certificate names two algorithms for one signature");
  const issuer = reader.next(TAG.sequence).whole;
  const validity = new DerReader(reader.next(TAG.sequence).body);
  const [from, until] = [timeIn(validity.any()), timeIn(validity.any())];
  validity.end();
  const subject = reader.next(TAG.sequence).whole;
  const publicKey = reader.next(TAG.sequence).whole;
  const extensions = reader.maybe(TAG.c3);
  reader.end();
  const base = { der: whole.whole, signed: signed.whole, algorithm, signature, serial, issuer, subject, from, until };
  return { ...base, publicKey, ...(extensions === null ? NO_EXTENSIONS : extensionsIn(extensions)) };
}

/** @returns null for bytes that are none. */
export function certificateOrNull(der: Uint8Array): Certificate | null {
  try {
    return readCertificate(der);
  } catch (error) {
    if (error instanceof DerError) return null;
    throw error;
  }
}

const NO_EXTENSIONS = { certifies: false, pathLength: null, signs: true, purposes: null, keyId: null } as const;
type Extensions = Pick<Certificate, "certifies" | "pathLength" | "signs" | "purposes" | "keyId">;

function extensionsIn(wrapped: Tlv): Extensions {
  const found = new Map<string, { critical: boolean; value: Buffer }>();
  const outer = new DerReader(wrapped.body);
  const list = new DerReader(outer.next(TAG.sequence).body);
  outer.end();
  while (!list.done) {
    const one = new DerReader(list.next(TAG.sequence).body);
    const oid = one.next(TAG.oid).body.toString("hex");
    const critical = booleanIn(one.maybe(TAG.boolean));
    const value = one.next(TAG.octets).body;
    one.end();
    if (found.has(oid) || found.size === MAX_EXTENSIONS) throw new DerError("a certificate has an extension twice");
    if (critical && !HARMLESS.has(oid)) throw new DerError("a certificate has a critical extension that is not known");
    found.set(oid, { critical, value });
  }
  const basic = found.get(EXTENSION.basicConstraints);
  const { ca, pathLength } = basic === undefined ? { ca: false, pathLength: null } : constraintsIn(basic.value);
  const usage = found.get(EXTENSION.keyUsage);
  const bits = usage === undefined ? null : (bitsIn(new DerReader(usage.value).next(TAG.bits), true)[0] ?? 0);
  const purposes = found.get(EXTENSION.purposes);
  const keyId = found.get(EXTENSION.keyId);
  return {
    certifies: ca && (bits === null || (bits & 0x04) !== 0),
    pathLength,
    // digitalSignature, or nonRepudiation
    signs: bits === null || (bits & 0xc0) !== 0,
    purposes: purposes === undefined ? null : { oids: oidsIn(purposes.value), critical: purposes.critical },
    keyId: keyId === undefined ? null : new DerReader(keyId.value).next(TAG.octets).body,
  };
}

function constraintsIn(value: Buffer): { ca: boolean; pathLength: number | null } {
  const outer = new DerReader(value);
  const reader = new DerReader(outer.next(TAG.sequence).body);
  outer.end();
  const ca = booleanIn(reader.maybe(TAG.boolean));
  const length = reader.maybe(TAG.integer);
  reader.end();
  if (length === null) return { ca, pathLength: null };
  const [first, ...more] = length.body;
  if (first === undefined || first >= 0x80 || more.length > 0) throw new DerError("a path length is not one");
  return { ca, pathLength: first };
}

function oidsIn(value: Buffer): string[] {
  const outer = new DerReader(value);
  const reader = new DerReader(outer.next(TAG.sequence).body);
  outer.end();
  const oids: string[] = [];
  while (!reader.done) oids.push(reader.next(TAG.oid).body.toString("hex"));
  return oids;
}

function booleanIn(found: Tlv | null): boolean {
  if (found === null) return false;
  if (!found.body.equals(Buffer.of(0xff))) throw new DerError("a boolean is not in its one form");
  return true;
}

/** @param some whether bits may be left over at the end. */
function bitsIn({ body }: Tlv, some = false): Buffer {
  const unused = body[0];
  if (unused === undefined || unused > (some ? 7 : 0)) throw new DerError("a string of bits has another length");
  return body.subarray(1);
}

/** UTCTime for years 1950 to 2049, GeneralizedTime for others. */
function timeIn({ tag, body }: Tlv): number {
  const text = body.toString("latin1");
  const short = tag === TAG.utcTime && /^\d{12}Z$/.test(text);
  if (!short && !(tag === TAG.time && /^\d{14}Z$/.test(text))) throw new DerError("a time is not in its one form");
  const full = short ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const [, date = "", hour = "", minute = "", second = ""] = /^(\d{8})(\d\d)(\d\d)(\d\d)Z$/.exec(full) ?? [];
  const day = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  const time = Date.parse(`${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(time)) throw new DerError("a time is none");
  return time;
}
