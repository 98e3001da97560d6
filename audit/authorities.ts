import { hash, type KeyObject } from "node:crypto";
import { generalizedTime } from "./anchor-proof.ts";
import {
  algorithmIn,
  type Certificate,
  certificateOrNull,
  isSigned,
  publicKeyOf,
  readCertificate,
} from "./certificate.ts";
import { DerError, DerReader, TAG, type Tlv } from "./der.ts";
import { OID, readTimestamp, type Timestamp, type TimestampSigner } from "./timestamp.ts";

/** Hashes that a signer may use, by object identifier in hex. */
const HASHES: Readonly<Record<string, string>> = {
  [OID.sha256]: "sha256",
  "608648016503040202": "sha384",
  "608648016503040203": "sha512",
};
/** RSA, and elliptic curves, without saying with which hash: that is said beside it. */
const WITH_DIGEST: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "2a864886f70d010101": {
    sha256: "2a864886f70d01010b",
    sha384: "2a864886f70d01010c",
    sha512: "2a864886f70d01010d",
  },
  "2a8648ce3d0201": { sha256: "2a8648ce3d040302", sha384: "2a8648ce3d040303", sha512: "2a8648ce3d040304" },
};
const SHA1_BYTES = 20;
/** Certificates of authorities that are remembered as good: a hostile file may bring new ones with each timestamp. */
const MAX_KNOWN = 256;

/** A good timestamp. */
export interface Checked {
  /** When, in milliseconds since 1970. */
  readonly ms: number;
  /** The pinned certificate that vouches for it: SHA-256, hex. */
  readonly pin: string;
}

/** A certificate that a pinned one vouches for, and its key. */
interface Trusted {
  readonly certificate: Certificate;
  readonly key: KeyObject;
  readonly pin: string;
  /** So many more may stand between it and a signer. */
  readonly further: number;
  /** All above it, itself included, are valid from and until. */
  readonly from: number;
  readonly until: number;
}

/** The certificates that somebody trusts to vouch for timestamp authorities. What a token brings along is read no further than as bytes until one of
 *  them, or one that they vouch for, has signed it. */
export class Authorities {
  readonly #pinned: readonly Trusted[];
  readonly #known = new Map<string, Trusted>();

  /** @param pinned DER. @throws {DerError} for one that is no certificate. */
  constructor(pinned: readonly Uint8Array[]) {
    this.#pinned = pinned.flatMap((der) => {
      const certificate = readCertificate(der);
      const key = publicKeyOf(certificate);
      const further = certificate.pathLength ?? Number.POSITIVE_INFINITY;
      const { from, until } = certificate;
      return key === null ? [] : [{ certificate, key, pin: fingerprint(der), further, from, until }];
    });
  }

  /** Is this a timestamp of these bytes by an authority that a pinned certificate vouches for? It never throws for what is in the response.
   *  @param digest SHA-256 of what is stamped. @returns what is wrong, as the end of a sentence about it. */
  check(response: Uint8Array, digest: Uint8Array): Checked | string {
    try {
      const token = readTimestamp(response);
      return "refused" in token ? "is a refusal" : this.#checked(token, digest);
    } catch (error) {
      if (error instanceof DerError) return `is not one: ${error.message}`;
      throw error;
    }
  }

  #checked(token: Timestamp, digest: Uint8Array): Checked | string {
    const { imprint, signer, info } = token;
    const ms = generalizedTime(token.time);
    if (imprint.algorithm !== OID.sha256 || !imprint.digest.equals(digest) || ms === null)
      return "is a timestamp of something else";
    if (signer === null) return "is not signed by one signer";
    const found = this.#signerOf(token, signer);
    if (typeof found === "string") return found;
    const { certificate } = found;
    if (ms < found.from || ms > found.until)
      return "is of a time at which a certificate of its authority was not valid";
    const { purposes } = certificate;
    if (purposes === null || !purposes.critical || purposes.oids.length !== 1 || purposes.oids[0] !== OID.timeStamping)
      return "is signed with a certificate that is not for timestamps alone";
    if (!certificate.signs) return "is signed with a certificate that may not sign";
    const wrong = wrongAttributes(signer, info, certificate);
    if (wrong !== null) return wrong;
    return isSigned(algorithmOf(signer), found.key, signer.signed, signer.signature)
      ? { ms, pin: found.pin }
      : "is not signed as it says: it was changed, or its algorithm is not accepted";
  }

  /** The signer's certificate, with one above it that is trusted. */
  #signerOf({ certificates }: Timestamp, { by }: TimestampSigner): Trusted | string {
    // One that cannot be read vouches for nothing; the others may.
    const all = certificates.flatMap((der) => certificateOrNull(der) ?? []);
    const own = [...all, ...this.#pinned.map(({ certificate }) => certificate)].find((certificate) =>
      "keyId" in by
        ? certificate.keyId?.equals(by.keyId) === true
        : certificate.issuer.equals(by.issuer) && certificate.serial.equals(by.serial),
    );
    if (own === undefined) return "is without the certificate of its signer";
    const pinned = this.#pinned.find(({ certificate }) => certificate.der.equals(own.der));
    if (pinned !== undefined) return pinned;
    const trusted = this.#vouched(all.filter((certificate) => certificate !== own));
    return this.#under(trusted, own) ?? "is not signed by an authority that a trusted certificate vouches for";
  }

  /** Those of these certificates that may certify, and are themselves certified, from the pinned ones on. */
  #vouched(certificates: readonly Certificate[]): Trusted[] {
    const trusted = [...this.#pinned];
    let rest = certificates.filter(({ certifies }) => certifies);
    for (let before = -1; before !== trusted.length; ) {
      before = trusted.length;
      rest = rest.filter((certificate) => {
        const found = this.#under(trusted, certificate);
        if (found !== null) trusted.push(found);
        return found === null;
      });
    }
    return trusted;
  }

  /** @returns null if none of them has issued it. */
  #under(trusted: readonly Trusted[], certificate: Certificate): Trusted | null {
    const name = fingerprint(certificate.der);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    for (const { certificate: issuer, key: theirs, pin, further, from, until } of trusted) {
      if (!issuer.certifies || !issuer.subject.equals(certificate.issuer)) continue;
      if (certificate.certifies && further < 1) continue;
      if (!isSigned(certificate.algorithm, theirs, certificate.signed, certificate.signature)) continue;
      const key = publicKeyOf(certificate);
      if (key === null) return null;
      const found = {
        certificate,
        key,
        pin,
        further: Math.min(further - 1, certificate.pathLength ?? Number.POSITIVE_INFINITY),
        from: Math.max(from, certificate.from),
        until: Math.min(until, certificate.until),
      };
      if (this.#known.size < MAX_KNOWN) this.#known.set(name, found);
      return found;
    }
    return null;
  }
}

/** SHA-256 of a certificate, hex: what `openssl x509 -fingerprint -sha256` prints, without its colons. */
export function fingerprint(der: Uint8Array): string {
  return hash("sha256", der, "hex");
}

/** @returns what is wrong with what was signed, or null. */
function wrongAttributes(
  { attributes, digest }: TimestampSigner,
  info: Buffer,
  certificate: Certificate,
): string | null {
  const type = attributes.get(OID.contentType);
  if (type?.tag !== TAG.oid || type.body.toString("hex") !== OID.tstInfo) return "was not signed as a timestamp";
  const name = HASHES[digest];
  const said = attributes.get(OID.messageDigest);
  if (name === undefined || said?.tag !== TAG.octets || !said.body.equals(hash(name, info, "buffer")))
    return "is not what was signed: its time, or what it is about, was changed";
  const [first, second] = [attributes.get(OID.signingCertificate), attributes.get(OID.signingCertificateV2)];
  if (first === undefined && second === undefined) return "does not say whose certificate signed it";
  const names =
    (first === undefined || named(first, certificate, 1)) && (second === undefined || named(second, certificate, 2));
  return names ? null : "says that another certificate signed it";
}

/** Does a signed attribute (RFC 2634 §5.4, RFC 5035 §3) name this certificate? */
function named({ tag, body }: Tlv, { der }: Certificate, version: 1 | 2): boolean {
  if (tag !== TAG.sequence) return false;
  const id = new DerReader(new DerReader(new DerReader(body).next(TAG.sequence).body).next(TAG.sequence).body);
  const given = version === 2 ? id.maybe(TAG.sequence) : null;
  const name = version === 1 ? "sha1" : given === null ? "sha256" : HASHES[algorithmIn(given)];
  const digest = id.next(TAG.octets).body;
  if (name === undefined || (version === 1 && digest.length !== SHA1_BYTES)) return false;
  return digest.equals(hash(name, der, "buffer"));
}

function algorithmOf({ algorithm, digest }: TimestampSigner): string {
  return WITH_DIGEST[algorithm]?.[HASHES[digest] ?? ""] ?? algorithm;
}
