import { tunnelErrorIn } from "../tunnel/tunnel-error.ts";
import { AnchorError } from "./anchor-error.ts";

/** From the request to the last byte of the answer. */
const ANSWER_MS = 15_000;

export interface Posted {
  readonly status: number;
  readonly type: string;
  readonly body: Uint8Array;
}

/** Posts once. Follows no redirect: an anchor answers where the operator said it lies.
 *  @param largest of the answer, in bytes. @throws {AnchorError} `unreachable`, or `bad-answer` for more than that. */
export async function post(url: string, type: string, body: Uint8Array, largest: number): Promise<Posted> {
  const patience = AbortSignal.timeout(ANSWER_MS);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: { "content-type": type },
      body: Buffer.from(body),
      redirect: "manual",
      signal: patience,
    });
    const answer = await bounded(response, largest);
    return { status: response.status, type: response.headers.get("content-type") ?? "", body: answer };
  } catch (error) {
    if (error instanceof AnchorError) throw error;
    if (patience.aborted)
      throw new AnchorError("unreachable", `it did not answer within ${ANSWER_MS / 1000} s`, { cause: error });
    throw new AnchorError("unreachable", `it cannot be reached (${codeIn(error)})`, { cause: error });
  }
}

async function bounded({ body }: Response, largest: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body ?? []) {
    bytes += piece.length;
    if (bytes > largest) throw new AnchorError("bad-answer", `it answered with more than ${largest} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** What egress refused, in words, or the system's word for it, such as ECONNREFUSED. */
function codeIn(error: unknown): string {
  const tunnel = tunnelErrorIn(error);
  if (tunnel?.final === true) return tunnel.message;
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if ("code" in cause && typeof cause.code === "string" && /^[A-Z0-9_]{1,64}$/.test(cause.code)) return cause.code;
  return "no connection";
}
