/** What is stored of an anchor's answer (`anchor.proof`), beside the size of the checkpoint that it is about.
 *
 *  A witness's: its cosignature line. A timestamp authority's: a line of ours with what its process read, then its `TimeStampResp` (RFC 3161)
 *  byte for byte, over the SHA-256 of the whole checkpoint note. With size 0, the certificates that its operator pinned for that authority, one each: a
 *  line of ours, then the certificate in DER; the row that adds the anchor names their digests. */
export type AnchorProof =
  | { readonly type: "witness"; readonly line: string }
  | { readonly type: "timestamp"; readonly time: string; readonly response: Uint8Array }
  | { readonly type: "certificate"; readonly der: Uint8Array };

const DASH = Buffer.from("\u2014 ");
const HEAD = "wirken/timestamp/v1 ";
const CERTIFICATE = Buffer.from("wirken/certificate/v1\n");
/** GeneralizedTime in UTC as RFC 3161 §2.4.2 restricts it: seconds, and a fraction without trailing zeros. */
const TIME = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{0,8}[1-9]))?Z$/;
const MAX_HEAD = 64;

/** @param time as the response has it: `20261123223100Z`. */
export function timestampProof(time: string, response: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${HEAD}${time}\n`), response]);
}

/** @param der a certificate that vouches for an authority. */
export function pinnedCertificate(der: Uint8Array): Uint8Array {
  return Buffer.concat([CERTIFICATE, der]);
}

/** @returns null for bytes that are no proof. */
export function readProof(bytes: Uint8Array): AnchorProof | null {
  const proof = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (proof.subarray(0, DASH.length).equals(DASH)) {
    const line = proof.toString("utf8");
    return line.indexOf("\n") === line.length - 1 && Buffer.from(line).equals(proof) ? { type: "witness", line } : null;
  }
  if (proof.subarray(0, CERTIFICATE.length).equals(CERTIFICATE))
    return proof.length === CERTIFICATE.length
      ? null
      : { type: "certificate", der: proof.subarray(CERTIFICATE.length) };
  const end = proof.subarray(0, MAX_HEAD).indexOf(0x0a);
  const head = proof.subarray(0, Math.max(0, end)).toString("latin1");
  const time = head.slice(HEAD.length);
  if (!head.startsWith(HEAD) || generalizedTime(time) === null || proof.length === end + 1) return null;
  return { type: "timestamp", time, response: proof.subarray(end + 1) };
}

/** @returns milliseconds since 1970, or null if it is no time. */
export function generalizedTime(text: string): number | null {
  const [, year, month, day, hour, minute, second, fraction = ""] = TIME.exec(text) ?? [];
  if (year === undefined) return null;
  const time = Date.parse(
    `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction.padEnd(3, "0").slice(0, 3)}Z`,
  );
  return Number.isNaN(time) ? null : time;
}

/** `SEQUENCE { SEQUENCE { sha256, NULL or nothing }, OCTET STRING (32) }`: what stands before the digest in a message imprint. */
const IMPRINTS = ["3031300d060960864801650304020105000420", "302f300b06096086480165030402010420"].map((hex) =>
  Buffer.from(hex, "hex"),
);
const GENERALIZED_TIME = 0x18;

/** Is this a timestamp of this digest, at this time, as far as bytes can be compared without reading the structure around them? Whose
 *  signature it has is not looked at: `Authorities` does that, where a certificate is pinned.
 *  @param digest SHA-256, 64 hex digits. */
export function stamps(response: Uint8Array, digest: string, time: string): boolean {
  const bytes = Buffer.from(response.buffer, response.byteOffset, response.byteLength);
  const at = IMPRINTS.map((head) => bytes.indexOf(Buffer.concat([head, Buffer.from(digest, "hex")]))).find(
    (i) => i >= 0,
  );
  if (at === undefined) return false;
  const stamp = Buffer.concat([Buffer.of(GENERALIZED_TIME, time.length), Buffer.from(time, "latin1")]);
  return bytes.indexOf(stamp, at) >= 0;
}
