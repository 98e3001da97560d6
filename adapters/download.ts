import { FileFailure } from "./adapter.ts";
import { whyUnreachable } from "./failure.ts";

/** Fetches one file, whole, with a limit that is kept whatever was announced. */

/** A file of the largest size on a slow line. */
const DOWNLOAD_MS = 180_000;

interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
}
export interface Request {
  readonly headers?: Record<string, string>;
  readonly redirect: "manual";
  readonly signal: AbortSignal;
}
export type Fetch = (url: string, request: Request) => Promise<Answer>;

export interface Download {
  readonly platform: string;
  readonly url: string;
  readonly headers?: Record<string, string>;
  /** Bytes. */
  readonly limit: number;
  readonly fetch: Fetch;
}

export interface Downloaded {
  readonly bytes: Uint8Array;
  /** As the server says; "" if it does not. */
  readonly type: string;
}

/** @throws {FileFailure} It names no address, and what points elsewhere is not followed. */
export async function download({ platform, url, headers, limit, fetch }: Download): Promise<Downloaded> {
  try {
    const answer = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(DOWNLOAD_MS),
      ...(headers === undefined ? {} : { headers }),
    });
    if (answer.status !== 200) throw refusal(platform, answer.status);
    const said = Number(answer.headers.get("content-length") ?? 0);
    const pieces: Uint8Array[] = [];
    let length = 0;
    if (said <= limit)
      for await (const piece of answer.body ?? []) {
        length += piece.length;
        if (length > limit) break;
        pieces.push(piece);
      }
    if (said > limit || length > limit) throw tooLarge(limit);
    return { bytes: Buffer.concat(pieces), type: answer.headers.get("content-type") ?? "" };
  } catch (error) {
    if (error instanceof FileFailure) throw error;
    throw new FileFailure("unreachable", `${platform} cannot be reached (${whyUnreachable(error)})`);
  }
}

export function tooLarge(limit: number): FileFailure {
  return new FileFailure("too-large", `the file has over ${limit} bytes`);
}

function refusal(platform: string, status: number): FileFailure {
  if (status === 404 || status === 410) return new FileFailure("gone", `${platform} does not have the file any more`);
  if (status >= 300 && status < 500)
    return new FileFailure("refused", `${platform} does not hand out the file (${status})`);
  return new FileFailure("unreachable", `${platform} failed to hand out the file (${status})`);
}
