import { hash, randomBytes } from "node:crypto";
import { der, DerError, derInteger, DerReader, TAG } from "../../audit/der.ts";
import { AnchorError } from "./anchor-error.ts";

import { post } from "./post.ts";

/** Timestamps of RFC 3161. @see https://www.rfc-editor.org/rfc/rfc3161 */

/** An answer with its certificates; larger ones exist only to be in the way. */
const LARGEST = 65_536;
const NONCE_BYTES = 8;

const OID = {
  sha256: Buffer.from("608648016503040201", "hex"),
  signedData: Buffer.from("2a864886f70d010702", "hex"),
  tstInfo: Buffer.from("2a864886f70d0109100104", "hex"),
} as const;
const SHA256 = der(TAG.sequence, der(TAG.oid, OID.sha256), der(TAG.nothing));
const YES = der(TAG.boolean, Buffer.of(0xff));

export interface Stamped {
  readonly response: Uint8Array;
  /** As it stands in the response: `20261123223100Z`. */
  readonly time: string;
}

export interface Asked {
  readonly digest: Uint8Array;
  /** The DER integer. */
  readonly nonce: Uint8Array;
}

/** `TimeStampReq`: SHA-256, a nonce, and the wish for the certificate. */
export function timestampRequest({ digest, nonce }: Asked): Buffer {
  return der(TAG.sequence, derInteger(Buffer.of(1)), der(TAG.sequence, SHA256, der(TAG.octets, digest)), nonce, YES);
}

/** Asks an authority for a timestamp of these bytes. @throws {AnchorError}. */
export async function stamp(url: string, bytes: Uint8Array): Promise<Stamped> {
  const asked = { digest: hash("sha256", bytes, "buffer"), nonce: derInteger(randomBytes(NONCE_BYTES)) };
  const answer = await post(url, "application/timestamp-query", timestampRequest(asked), LARGEST);
  if (answer.status === 404 || answer.status === 403 || answer.status === 401)
    throw new AnchorError("refused", `it does not serve us: status ${answer.status}`);
  if (answer.status !== 200)
    throw new AnchorError(
      answer.status >= 500 || answer.status === 429 ? "unreachable" : "bad-answer",
      `it answered with status ${answer.status}`,
    );
  return { response: answer.body, ...readResponse(answer.body, asked) };
}

/** Reads a `TimeStampResp` and checks that it answers what was asked: granted, our digest, our nonce, with a certificate. The signature is for `openssl
 *  ts -verify`, which knows whom to trust. @throws {AnchorError} */
export function readResponse(response: Uint8Array, asked: Asked): { time: string } {
  try {
    return read(response, asked);
  } catch (error) {
    if (error instanceof DerError)
      throw new AnchorError("bad-answer", `its answer is no timestamp: ${error.message}`, { cause: error });
    throw error;
  }
}

function read(response: Uint8Array, asked: Asked): { time: string } {
  const outer = new DerReader(response);
  const answer = new DerReader(outer.next(TAG.sequence).body);
  outer.end();
  const status = new DerReader(answer.next(TAG.sequence).body).next(TAG.integer).body;
  // granted, or granted with modifications
  if (status.length !== 1 || (status[0] !== 0 && status[0] !== 1))
    throw new AnchorError("refused", `it refused: status ${status.toString("hex")}`);
  const content = new DerReader(answer.next(TAG.sequence).body);
  answer.end();
  expectOid(content, OID.signedData, "signed data");
  const signed = new DerReader(new DerReader(content.next(TAG.c0).body).next(TAG.sequence).body);
  content.end();
  signed.next(TAG.integer);
  signed.next(TAG.set);
  const encapsulated = new DerReader(signed.next(TAG.sequence).body);
  expectOid(encapsulated, OID.tstInfo, "a timestamp");
  const info = new DerReader(new DerReader(encapsulated.next(TAG.c0).body).next(TAG.octets).body);
  if (signed.maybe(TAG.c0) === null)
    throw new AnchorError("bad-answer", "its answer is without its certificate: later nobody could check it");
  return readInfo(info, asked);
}

function readInfo(info: DerReader, { digest, nonce }: Asked): { time: string } {
  const token = new DerReader(info.next(TAG.sequence).body);
  info.end();
  if (!token.next(TAG.integer).body.equals(Buffer.of(1))) throw new DerError("it has another version");
  token.next(TAG.oid);
  const imprint = new DerReader(token.next(TAG.sequence).body);
  expectOid(new DerReader(imprint.next(TAG.sequence).body), OID.sha256, "SHA-256");
  if (!imprint.next(TAG.octets).body.equals(digest))
    throw new AnchorError("bad-answer", "its answer is a timestamp of something else");
  token.next(TAG.integer);
  const time = token.next(TAG.time).body.toString("latin1");
  if (!/^\d{14}(\.\d{0,8}[1-9])?Z$/.test(time)) throw new DerError("its time is not in the one form");
  token.maybe(TAG.sequence);
  token.maybe(TAG.boolean);
  const said = token.maybe(TAG.integer);
  if (said === null || !said.whole.equals(nonce))
    throw new AnchorError("bad-answer", "its answer is not to this question: the nonce is another one");
  return { time };
}

function expectOid(reader: DerReader, oid: Buffer, what: string): void {
  if (!reader.next(TAG.oid).body.equals(oid)) throw new DerError(`it is not ${what}`);
}
