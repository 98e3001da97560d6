import { hash, randomBytes } from "node:crypto";
import { der, DerError, derInteger, TAG } from "../../audit/der.ts";
import { OID, readTimestamp } from "../../audit/timestamp.ts";
import { AnchorError } from "./anchor-error.ts";

import { post } from "./post.ts";

/** Timestamps of RFC 3161. @see https://www.rfc-editor.org/rfc/rfc3161 */

/** An answer with its certificates; larger ones exist only to be in the way. */
const LARGEST = 65_536;
const NONCE_BYTES = 8;

const SHA256 = der(TAG.sequence, der(TAG.oid, Buffer.from(OID.sha256, "hex")), der(TAG.nothing));
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

/** Reads a `TimeStampResp` and checks that it answers what was asked: granted, our digest, our nonce, with a certificate. Whose signature it has is checked
 *  where it is known whom to trust. @throws {AnchorError} */
export function readResponse(response: Uint8Array, { digest, nonce }: Asked): { time: string } {
  const read = readAnswer(response);
  if ("refused" in read) throw new AnchorError("refused", `it refused: status ${read.refused}`);
  if (read.imprint.algorithm !== OID.sha256 || !read.imprint.digest.equals(digest))
    throw new AnchorError("bad-answer", "its answer is a timestamp of something else");
  if (read.certificates.length === 0)
    throw new AnchorError("bad-answer", "its answer is without its certificate: later nobody could check it");
  if (read.nonce?.equals(nonce) !== true)
    throw new AnchorError("bad-answer", "its answer is not to this question: the nonce is another one");
  return { time: read.time };
}

function readAnswer(response: Uint8Array): ReturnType<typeof readTimestamp> {
  try {
    return readTimestamp(response);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new AnchorError("bad-answer", `its answer is no timestamp: ${error.message}`, { cause: error });
  }
}
