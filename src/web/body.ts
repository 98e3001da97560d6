import type { IncomingMessage } from "node:http";

/** A call with a long message fits; nothing that is said here is larger. */
export const MAX_BODY = 1_048_576;

export type Body = { state: "json"; value: unknown } | { state: "bad"; status: 400 | 413 | 415; sentence: string };

/** Reads a request's JSON, at most {@link MAX_BODY} bytes. @throws if the request breaks off. */
export async function readJson(request: IncomingMessage): Promise<Body> {
  const type = request.headers["content-type"];
  if (type !== "application/json") return { state: "bad", status: 415, sentence: "Send application/json." };
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY) return tooLarge();
  const chunks: Buffer[] = [];
  let size = 0;
  // A refusal must still be answered: leaving the loop must not tear the connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw new TypeError("a request body that is not bytes");
    size += chunk.length;
    if (size > MAX_BODY) return tooLarge();
    chunks.push(chunk);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
    const value: unknown = JSON.parse(text);
    // Half of a surrogate pair is not text, and the supervisor takes it for a broken frame.
    if (isWellFormed(value)) return { state: "json", value };
  } catch {
    // said below: the reason would quote what was sent
  }
  return { state: "bad", status: 400, sentence: "What was sent is not JSON." };
}

function tooLarge(): Body {
  return { state: "bad", status: 413, sentence: `What was sent is larger than ${MAX_BODY / 1024} KiB.` };
}

function isWellFormed(value: unknown): boolean {
  const waiting: unknown[] = [value]; // no recursion: the nesting is the sender's choice
  while (waiting.length > 0) {
    const item = waiting.pop();
    if (typeof item === "string" && !item.isWellFormed()) return false;
    if (typeof item !== "object" || item === null) continue;
    for (const [key, inner] of Object.entries(item)) waiting.push(key, inner);
  }
  return true;
}
