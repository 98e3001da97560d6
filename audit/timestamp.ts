import { algorithmIn } from "./certificate.ts";
import { DerError, DerReader, TAG, type Tlv } from "./der.ts";

/** Reads a `TimeStampResp` (RFC 3161) and the CMS (RFC 5652) in it, strictly: the one form that an authority answers in. Nothing is checked here but form.
 *  @see https://www.rfc-editor.org/rfc/rfc3161 */

const MAX_CERTIFICATES = 16;
const MAX_ATTRIBUTES = 32;

export const OID = {
  sha256: "608648016503040201",
  signedData: "2a864886f70d010702",
  tstInfo: "2a864886f70d0109100104",
  contentType: "2a864886f70d010903",
  messageDigest: "2a864886f70d010904",
  /** ESSCertID, with SHA-1, and its second version. */
  signingCertificate: "2a864886f70d010910020c",
  signingCertificateV2: "2a864886f70d010910022f",
  timeStamping: "2b06010505070308",
} as const;

/** A time as RFC 3161 §2.4.2 restricts it. */
const TIME = /^\d{14}(\.\d{0,8}[1-9])?Z$/;

export interface Timestamp {
  /** `TSTInfo`, byte for byte. */
  readonly info: Buffer;
  /** What is stamped: the hash (an object identifier, hex) and the digest. */
  readonly imprint: { readonly algorithm: string; readonly digest: Buffer };
  /** As it stands there: `20261123223100Z`. */
  readonly time: string;
  /** The DER integer of the question, or null. */
  readonly nonce: Buffer | null;
  /** In no order; not read. */
  readonly certificates: readonly Buffer[];
  readonly signer: TimestampSigner | null;
}

export interface TimestampSigner {
  /** Whose certificate it is: issuer and serial number, or its subject key identifier. */
  readonly by: { readonly issuer: Buffer; readonly serial: Buffer } | { readonly keyId: Buffer };
  /** Object identifiers, hex. */
  readonly digest: string;
  readonly algorithm: string;
  /** Each attribute's one value, by object identifier. */
  readonly attributes: ReadonlyMap<string, Tlv>;
  /** What is signed: the attributes as a SET. */
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** @returns the status, hex, of an answer that grants nothing. @throws {DerError} for what is no answer. */
export function readTimestamp(response: Uint8Array): Timestamp | { readonly refused: string } {
  const outer = new DerReader(response);
  const answer = new DerReader(outer.next(TAG.sequence).body);
  outer.end();
  const status = new DerReader(answer.next(TAG.sequence).body).next(TAG.integer).body;
  // granted, or granted with modifications
  if (status.length !== 1 || (status[0] !== 0 && status[0] !== 1)) return { refused: status.toString("hex") };
  const content = new DerReader(answer.next(TAG.sequence).body);
  answer.end();
  expectOid(content, OID.signedData, "signed data");
  const wrapped = new DerReader(content.next(TAG.c0).body);
  content.end();
  const signed = new DerReader(wrapped.next(TAG.sequence).body);
  wrapped.end();
  signed.next(TAG.integer);
  signed.next(TAG.set);
  const info = infoIn(signed.next(TAG.sequence));
  const certificates = certificatesIn(signed.maybe(TAG.c0));
  signed.maybe(TAG.c1);
  const signer = signerIn(signed.next(TAG.set));
  signed.end();
  return { info, ...readInfo(info), certificates, signer };
}

function infoIn({ body }: Tlv): Buffer {
  const reader = new DerReader(body);
  expectOid(reader, OID.tstInfo, "a timestamp");
  const wrapped = new DerReader(reader.next(TAG.c0).body);
  reader.end();
  const info = wrapped.next(TAG.octets).body;
  wrapped.end();
  return info;
}

function readInfo(bytes: Buffer): Pick<Timestamp, "imprint" | "time" | "nonce"> {
  const outer = new DerReader(bytes);
  const info = new DerReader(outer.next(TAG.sequence).body);
  outer.end();
  if (!info.next(TAG.integer).body.equals(Buffer.of(1))) throw new DerError("it has another version");
  info.next(TAG.oid);
  const imprint = new DerReader(info.next(TAG.sequence).body);
  const algorithm = algorithmIn(imprint.next(TAG.sequence));
  const digest = imprint.next(TAG.octets).body;
  imprint.end();
  info.next(TAG.integer);
  const time = info.next(TAG.time).body.toString("latin1");
  if (!TIME.test(time)) throw new DerError("its time is not in the one form");
  info.maybe(TAG.sequence); // how exact the time is
  info.maybe(TAG.boolean);
  const nonce = info.maybe(TAG.integer)?.whole ?? null;
  info.maybe(TAG.c0); // the authority's name
  if (info.maybe(TAG.c1) !== null) throw new DerError("it has extensions, which may mean anything");
  info.end();
  return { imprint: { algorithm, digest }, time, nonce };
}

function certificatesIn(found: Tlv | null): Buffer[] {
  if (found === null) return [];
  const reader = new DerReader(found.body);
  const certificates: Buffer[] = [];
  while (!reader.done) {
    if (certificates.length === MAX_CERTIFICATES) throw new DerError("it has too many certificates");
    certificates.push(reader.next(TAG.sequence).whole);
  }
  return certificates;
}

/** @returns null unless there is exactly one, with signed attributes: RFC 3161 knows no other. */
function signerIn({ body }: Tlv): TimestampSigner | null {
  const all = new DerReader(body);
  const reader = new DerReader(all.next(TAG.sequence).body);
  if (!all.done) return null;
  reader.next(TAG.integer);
  const keyId = reader.maybe(TAG.p0)?.body ?? null;
  const by = keyId === null ? issuerAndSerial(reader.next(TAG.sequence)) : { keyId };
  const digest = algorithmIn(reader.next(TAG.sequence));
  const attributes = reader.maybe(TAG.c0);
  if (attributes === null) return null;
  const algorithm = algorithmIn(reader.next(TAG.sequence));
  const signature = reader.next(TAG.octets).body;
  reader.maybe(TAG.c1); // what is not signed
  reader.end();
  const signed = Buffer.concat([Buffer.of(TAG.set), attributes.whole.subarray(1)]);
  return { by, digest, algorithm, attributes: attributesIn(attributes), signed, signature };
}

function issuerAndSerial({ body }: Tlv): { issuer: Buffer; serial: Buffer } {
  const reader = new DerReader(body);
  const issuer = reader.next(TAG.sequence).whole;
  const serial = reader.next(TAG.integer).whole;
  reader.end();
  return { issuer, serial };
}

function attributesIn({ body }: Tlv): Map<string, Tlv> {
  const found = new Map<string, Tlv>();
  const reader = new DerReader(body);
  while (!reader.done) {
    const one = new DerReader(reader.next(TAG.sequence).body);
    const oid = one.next(TAG.oid).body.toString("hex");
    const values = new DerReader(one.next(TAG.set).body);
    one.end();
    if (found.has(oid) || found.size === MAX_ATTRIBUTES) throw new DerError("a signed attribute is there twice");
    found.set(oid, values.any());
    values.end();
  }
  return found;
}

function expectOid(reader: DerReader, oid: string, what: string): void {
  if (reader.next(TAG.oid).body.toString("hex") !== oid) throw new DerError(`it is not ${what}`);
}
