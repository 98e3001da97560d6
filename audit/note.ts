import { createPublicKey, hash, type KeyObject, verify } from "node:crypto";
import type { Signer } from "./ports.ts";

/** C2SP signed notes, tlog checkpoints and their keys. @see https://c2sp.org/signed-note @see https://c2sp.org/tlog-checkpoint */

/** Why a note, a checkpoint or a key is refused. */
export class NoteError extends Error {
  override readonly name = "NoteError";
  readonly code: "NOTE_MALFORMED" | "NOTE_FORGED";
  constructor(code: NoteError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

const ED25519 = 0x01;
/** What a witness signs with: a timestamped cosignature. */
export const COSIGNATURE = 0x04;
type KeyType = typeof ED25519 | typeof COSIGNATURE;
const KEY_BYTES = 32;
const ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** The bytes before the key in an Ed25519 public key's SPKI form (RFC 8410 §4). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");
const DASH = "\u2014 ";
/** No space, no plus, nothing that a terminal acts on. */
const NAME = /^[\x21-\x2a\x2c-\x7e]{1,200}$/;
const MAX_NOTE = 16_384;
const MAX_SIGNATURES = 16;

/** The public half of a log key. */
export interface VerifierKey {
  readonly vkey: string;
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly key: KeyObject;
}

/** @param vkey `<name>+<8 hex of the key id>+<base64(type ‖ public key)>`. @param type a log's if left out. @throws {NoteError} NOTE_MALFORMED. */
export function parseVkey(vkey: string, type: KeyType = ED25519): VerifierKey {
  const [, name = "", id = "", key64 = ""] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(vkey) ?? [];
  const typed = fromBase64(key64);
  if (!NAME.test(name) || typed === null || typed.length !== 1 + KEY_BYTES || typed[0] !== type)
    throw new NoteError(
      "NOTE_MALFORMED",
      `this is not the public key of a ${type === ED25519 ? "log" : "witness"} (name+hex+base64)`,
    );
  if (keyId(name, typed) !== id)
    throw new NoteError("NOTE_MALFORMED", "this public key does not fit its own id: it was mistyped or changed");
  const key = createPublicKey({
    key: Buffer.concat([SPKI_HEAD, typed.subarray(1)]),
    format: "der",
    type: "spki",
  });
  return { vkey, name, id, key };
}

/** @param publicKey 32 bytes. @param type a log's if left out. */
export function writeVkey(name: string, publicKey: Uint8Array, type: KeyType = ED25519): string {
  const typed = Buffer.concat([Uint8Array.of(type), publicKey]);
  return `${name}+${keyId(name, typed)}+${typed.toString("base64")}`;
}

/** `SHA-256(name ‖ 0x0A ‖ type ‖ public key)[:4]`. */
function keyId(name: string, typed: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), typed]), "hex").slice(0, 2 * ID_BYTES);
}

export interface Signature {
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  /** 64 hex digits. */
  readonly root: string;
}

export interface SignedCheckpoint extends Checkpoint {
  /** What is signed, its last newline included. */
  readonly text: string;
  readonly signatures: readonly Signature[];
}

/** @returns the text that is signed, its last newline included. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root, "hex").toString("base64")}\n`;
}

/** @param id 8 hex digits. @returns one signature line, its newline included. */
export function signatureLine(name: string, id: string, signature: Uint8Array): string {
  return `${DASH}${name} ${Buffer.concat([Buffer.from(id, "hex"), signature]).toString("base64")}\n`;
}

/** Signs a checkpoint with each of the keys, in this order. */
export function signCheckpoint(checkpoint: Checkpoint, signers: readonly Signer[]): string {
  const text = checkpointText(checkpoint);
  const bytes = Buffer.from(text);
  const lines = signers.map((signer) => {
    const { name, id } = parseVkey(signer.vkey);
    return signatureLine(name, id, signer.sign(bytes));
  });
  return `${text}\n${lines.join("")}`;
}

/** Reads a checkpoint without looking at whose signatures it has. Strict: no CR, no blank line but one, no missing last newline, no leading zero,
 *  canonical base64 only, no line besides the three.
 *  @throws {NoteError} NOTE_MALFORMED. */
export function parseCheckpoint(note: string): SignedCheckpoint {
  if (note.length > MAX_NOTE) throw malformed(`is longer than ${MAX_NOTE} characters`);
  if (!note.isWellFormed() || /[^\n\x20-\x7e\u2014]/.test(note))
    throw malformed("holds characters that no checkpoint has");
  const halves = note.split("\n\n");
  const [head, tail] = halves;
  if (halves.length !== 2 || head === undefined || tail === undefined)
    throw malformed("does not have exactly one blank line");
  const [origin = "", size = "", root64 = "", ...extra] = head.split("\n");
  if (extra.length > 0) throw malformed("has lines besides origin, size and root");
  if (!NAME.test(origin)) throw malformed("has no origin in its first line");
  if (!/^(0|[1-9][0-9]{0,15})$/.test(size) || !Number.isSafeInteger(Number(size)))
    throw malformed("has no size in its second line");
  const root = fromBase64(root64);
  if (root === null || root.length !== 32) throw malformed("has no root hash in its third line");
  if (!tail.endsWith("\n")) throw malformed("does not end with a newline");
  const lines = tail.slice(0, -1).split("\n");
  if (lines.length > MAX_SIGNATURES) throw malformed(`has more than ${MAX_SIGNATURES} signatures`);
  return {
    origin,
    size: Number(size),
    root: root.toString("hex"),
    text: `${head}\n`,
    signatures: lines.map(parseSignature),
  };
}

/** Reads one line `— <name> <base64(key id ‖ signature)>`, without its newline. @throws {NoteError} NOTE_MALFORMED. */
export function parseSignature(line: string): Signature {
  const [, name = "", blob64 = ""] = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line) ?? [];
  const blob = fromBase64(blob64);
  if (!NAME.test(name) || blob === null || blob.length <= ID_BYTES)
    throw malformed("has a signature line that is none");
  return { name, id: blob.subarray(0, ID_BYTES).toString("hex"), bytes: blob.subarray(ID_BYTES) };
}

/** Is the checkpoint signed by this key? A line of an unknown key is ignored.
 *  @throws {NoteError} NOTE_FORGED when it has a line of this key that is not good, or two of them. */
export function isSignedBy(checkpoint: SignedCheckpoint, key: VerifierKey): boolean {
  const own = checkpoint.signatures.filter(({ name, id }) => name === key.name && id === key.id);
  const [signature] = own;
  if (signature === undefined) return false;
  if (own.length > 1) throw new NoteError("NOTE_FORGED", "the checkpoint has two signatures of one key");
  if (
    signature.bytes.length !== SIGNATURE_BYTES ||
    !verify(null, Buffer.from(checkpoint.text), key.key, signature.bytes)
  )
    throw new NoteError("NOTE_FORGED", "the checkpoint has a signature that is not good");
  return true;
}

function malformed(why: string): NoteError {
  return new NoteError("NOTE_MALFORMED", `this is no checkpoint: it ${why}`);
}

/** @returns null unless the text is the one base64 form of its bytes, padding included. */
export function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.length > 0 && bytes.toString("base64") === text ? bytes : null;
}
