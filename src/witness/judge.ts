import { cosign } from "../../audit/cosignature.ts";
import { grows } from "../../audit/merkle.ts";
import {
  fromBase64,
  isSignedBy,
  NoteError,
  parseCheckpoint,
  type SignedCheckpoint,
  type VerifierKey,
} from "../../audit/note.ts";
import type { WitnessKey } from "./key.ts";
import type { WitnessState } from "./state.ts";

/** The rules of a C2SP witness. @see https://c2sp.org/tlog-witness */

/** A request has at most 63 hashes and a checkpoint, in bytes. */
export const MAX_REQUEST = 32_768;
const MAX_PROOF = 63;
const HASH_BYTES = 32;

export interface Judged {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly type: string;
  readonly body: string;
}

interface Asked {
  readonly old: number;
  /** 64 hex digits each. */
  readonly proof: readonly string[];
  readonly note: string;
  readonly checkpoint: SignedCheckpoint;
}

/** Judges one `add-checkpoint`. When it answers 200, what it cosigned is on disk.
 *  @param now seconds since 1970. */
export function judge(body: Uint8Array, witness: WitnessKey, state: WitnessState, now: () => number): Judged {
  const asked = read(body);
  if (asked === null) return answer(400, "the request is malformed\n");
  const { old, proof, note, checkpoint } = asked;
  const { origin, size, root, text } = checkpoint;
  const keys = state.keysOf(origin);
  if (keys.length === 0) return answer(404, "this log is not served here\n");
  if (!keys.some((key) => isGood(checkpoint, key))) return answer(403, "no signature is of a key that is known here\n");
  if (old > size) return answer(400, "the old size is above the checkpoint's\n");
  return state.advance(origin, (held, keep): Judged => {
    if (old !== held.size || (old === size && root !== held.root))
      return { status: 409, type: "text/x.tlog.size", body: `${held.size}\n` };
    if (old === 0 ? proof.length > 0 : !grows(held, checkpoint, proof))
      return answer(422, "the proof does not show that the log only grew\n");
    const line = cosign(text, witness, now());
    keep(size, `${note.slice(0, text.length + 1)}${signaturesOf(note, text)}${line}`);
    return answer(200, line);
  });
}

/** The log's own lines, without those that claim to be of a witness. */
function signaturesOf(note: string, text: string): string {
  const origin = text.slice(0, text.indexOf("\n"));
  return note
    .slice(text.length + 1)
    .split("\n")
    .filter((line) => line.startsWith(`\u2014 ${origin} `))
    .map((line) => `${line}\n`)
    .join("");
}

function answer(status: Judged["status"], body: string): Judged {
  return { status, type: "text/plain; charset=utf-8", body };
}

function isGood(checkpoint: SignedCheckpoint, key: VerifierKey): boolean {
  try {
    return isSignedBy(checkpoint, key);
  } catch (error) {
    if (error instanceof NoteError) return false;
    throw error;
  }
}

function read(body: Uint8Array): Asked | null {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  // What is no UTF-8 would come back as something else.
  if (body.length > MAX_REQUEST || !Buffer.from(text).equals(body)) return null;
  const blank = text.indexOf("\n\n");
  const [first = "", ...lines] = text.slice(0, Math.max(0, blank)).split("\n");
  const old = /^old (0|[1-9][0-9]{0,15})$/.exec(first)?.[1];
  if (old === undefined || !Number.isSafeInteger(Number(old)) || lines.length > MAX_PROOF) return null;
  const proof = lines.flatMap((line) => {
    const hash = fromBase64(line);
    return hash?.length === HASH_BYTES ? [hash.toString("hex")] : [];
  });
  if (proof.length !== lines.length) return null;
  const note = text.slice(blank + 2);
  try {
    return { old: Number(old), proof, note, checkpoint: parseCheckpoint(note) };
  } catch (error) {
    if (error instanceof NoteError) return null;
    throw error;
  }
}
