import { fromBase64, NoteError } from "./note.ts";

/** Proof files: an audit path and the checkpoint that it leads to. @see https://c2sp.org/tlog-proof */

const FIRST_LINE = "c2sp.org/tlog-proof@v1";
/** No tree is higher: a size is at most 2^53. */
const MAX_HASHES = 53;
/** In characters: the hashes, and the largest checkpoint. */
export const MAX_PROOF = 20_480;

export interface LogProof {
  /** The row. */
  readonly index: number;
  /** Its audit path from its sibling upwards, hex. */
  readonly hashes: readonly string[];
  /** The signed note, as it is. */
  readonly checkpoint: string;
}

export function writeProof({ index, hashes, checkpoint }: LogProof): string {
  const lines = hashes.map((hash) => `${Buffer.from(hash, "hex").toString("base64")}\n`);
  return `${FIRST_LINE}\nindex ${index}\n${lines.join("")}\n${checkpoint}`;
}

/** Reads a proof file in its one form. The checkpoint in it is not looked at.
 *  @throws {NoteError} NOTE_MALFORMED. */
export function parseProof(text: string): LogProof {
  if (text.length > MAX_PROOF) throw malformed(`is longer than ${MAX_PROOF} characters`);
  const end = text.indexOf("\n\n");
  if (end < 0) throw malformed("has no blank line before its checkpoint");
  const [first, second = "", ...path] = text.slice(0, end).split("\n");
  if (first !== FIRST_LINE) throw malformed(`does not begin with ${FIRST_LINE}`);
  const [, digits = ""] = /^index (0|[1-9][0-9]{0,15})$/.exec(second) ?? [];
  const index = Number(digits);
  if (digits === "" || !Number.isSafeInteger(index)) throw malformed("has no index in its second line");
  if (path.length > MAX_HASHES) throw malformed(`has more than ${MAX_HASHES} hashes`);
  const hashes = path.map((line) => {
    const bytes = fromBase64(line);
    if (bytes?.length !== 32) throw malformed("has a line that is no hash");
    return bytes.toString("hex");
  });
  return { index, hashes, checkpoint: text.slice(end + 2) };
}

function malformed(why: string): NoteError {
  return new NoteError("NOTE_MALFORMED", `this is no proof: it ${why}`);
}
