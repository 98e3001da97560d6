import { verify } from "node:crypto";
import { COSIGNATURE, NoteError, parseSignature, parseVkey, signatureLine, type VerifierKey } from "./note.ts";

/** Timestamped cosignatures of witnesses. @see https://c2sp.org/tlog-cosignature */

const SIGNATURE_BYTES = 64;
const TIME_BYTES = 8;
/** Lines of one answer: a witness has a key or two, and may be rotating them. */
const MAX_LINES = 16;
const MAX_ANSWER = 8_192;

/** @param vkey `<name>+<8 hex of the key id>+<base64(0x04 ‖ public key)>`. @throws {NoteError} NOTE_MALFORMED. */
export function parseWitnessVkey(vkey: string): VerifierKey {
  return parseVkey(vkey, COSIGNATURE);
}

/** What a witness signs: when, and the whole text of the checkpoint. @param time seconds since 1970. */
function cosigned(time: number | bigint, text: string): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${time}\n${text}`);
}

/** Cosigns a checkpoint's text. @param time seconds since 1970. @returns one signature line, its newline included. */
export function cosign(
  text: string,
  witness: { readonly name: string; readonly id: string; sign(bytes: Uint8Array): Uint8Array },
  time: number,
): string {
  const stamp = Buffer.alloc(TIME_BYTES);
  stamp.writeBigUInt64BE(BigInt(time));
  return signatureLine(witness.name, witness.id, Buffer.concat([stamp, witness.sign(cosigned(time, text))]));
}

export interface Cosignature {
  /** The one line of this witness, its newline included. */
  readonly line: string;
  /** Seconds since 1970. */
  readonly time: number;
}

/** Finds a witness's cosignature of a checkpoint among signature lines; those of other keys are ignored.
 *  @param lines each with its newline. @param text the checkpoint's, its last newline included.
 *  @returns null if it has none there. @throws {NoteError} NOTE_MALFORMED, or NOTE_FORGED if its line is not good. */
export function findCosignature(lines: string, text: string, witness: VerifierKey): Cosignature | null {
  if (lines.length > MAX_ANSWER || !lines.endsWith("\n"))
    throw new NoteError("NOTE_MALFORMED", "these are no signature lines");
  const all = lines.slice(0, -1).split("\n");
  if (all.length > MAX_LINES) throw new NoteError("NOTE_MALFORMED", `there are more than ${MAX_LINES} signatures`);
  const own = all.filter((line) => {
    const { name, id } = parseSignature(line);
    return name === witness.name && id === witness.id;
  });
  const [line] = own;
  if (line === undefined) return null;
  const { bytes } = parseSignature(line);
  if (own.length > 1) throw forged("is there twice");
  if (bytes.length !== TIME_BYTES + SIGNATURE_BYTES) throw forged("has another length than one has");
  const time = Buffer.from(bytes).readBigUInt64BE();
  if (time > BigInt(Number.MAX_SAFE_INTEGER)) throw forged("has a time that is none");
  if (!verify(null, cosigned(time, text), witness.key, bytes.subarray(TIME_BYTES))) throw forged("is not good");
  return { line: `${line}\n`, time: Number(time) };
}

function forged(why: string): NoteError {
  return new NoteError("NOTE_FORGED", `the cosignature ${why}`);
}
