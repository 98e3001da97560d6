import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";
import { MAX_MANIFEST } from "./manifest.ts";
import { SkillError } from "./skill-error.ts";

/** A manifest as a C2SP signed note: two lines of text, a blank line, and who signed. @see https://c2sp.org/signed-note */

const HEAD = "wirken/skill/v1\n";
const ED25519 = 0x01;
const KEY_BYTES = 32;
const ID_BYTES = 4;
const SIGNATURE_BYTES = 64;
/** An Ed25519 public key in SPKI form, and a private one in PKCS #8, are these bytes and the key (RFC 8410). */
const SPKI_HEAD = Buffer.from("302a300506032b6570032100", "hex");
const PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");
const KEY_NAME = /^[\x21-\x2a\x2c-\x7e]{1,100}$/;
const MAX_SIGNATURES = 8;
const MAX_NOTE = MAX_MANIFEST + 4096;

/** The public half of a key that signs skills. */
export interface SkillKey {
  /** `<name>+<8 hex digits of the id>+<base64(1 ‖ public key)>`. */
  readonly vkey: string;
  readonly name: string;
  readonly id: string;
  readonly key: KeyObject;
}

/** What stands in `skill.sig`, or at the address of a list. */
export interface SignedNote {
  /** What is signed. */
  readonly text: string;
  /** The second line of it: a manifest in its one form, say. */
  readonly body: string;
  readonly signatures: readonly { readonly name: string; readonly id: string; readonly bytes: Uint8Array }[];
}

/** @throws {SkillError} `malformed` for what is no key. */
export function readVkey(vkey: string): SkillKey {
  const [, name = "", id = "", key64 = ""] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(vkey) ?? [];
  const typed = fromBase64(key64);
  if (!KEY_NAME.test(name) || typed === null || typed.length !== 1 + KEY_BYTES || typed[0] !== ED25519)
    throw noKey("this is not the public key of somebody who signs skills");
  if (idOf(name, typed) !== id) throw noKey("this public key does not fit its own id: it was mistyped or changed");
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, typed.subarray(1)]), format: "der", type: "spki" });
  return { vkey, name, id, key };
}

/** The public half of a private key, under a name. */
export function vkeyOf(name: string, secret: KeyObject): string {
  if (!KEY_NAME.test(name)) throw noKey("a key's name is 1 to 100 visible characters, without a plus");
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  const typed = Buffer.concat([Uint8Array.of(ED25519), spki.subarray(SPKI_HEAD.length)]);
  return `${name}+${idOf(name, typed)}+${typed.toString("base64")}`;
}

/** A private key from its 32 bytes. @param seed is left to whoever owns it to wipe. */
export function secretKey(seed: Uint8Array): KeyObject {
  const der = Buffer.concat([PKCS8_HEAD, seed]);
  try {
    return createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  } finally {
    der.fill(0);
  }
}

function idOf(name: string, typed: Uint8Array): string {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), typed]), "hex").slice(0, 2 * ID_BYTES);
}

/** Signs a manifest. @param manifest in its one form. @returns what `skill.sig` holds. */
export function signManifest(manifest: string, name: string, secret: KeyObject): string {
  return signNote(`${HEAD}${manifest}\n`, name, secret);
}

/** @param text what is signed, its last newline included. */
export function signNote(text: string, name: string, secret: KeyObject): string {
  const { id } = readVkey(vkeyOf(name, secret));
  const line = Buffer.concat([Buffer.from(id, "hex"), sign(null, Buffer.from(text), secret)]).toString("base64");
  return `${text}\n\u2014 ${name} ${line}\n`;
}

/** Reads `skill.sig` without looking at whose signatures it has. @throws {SkillError} `malformed`. */
export function readSigned(note: string): SignedNote {
  return readNote(note, HEAD, MAX_NOTE);
}

/** Reads a note of two lines. @param head the first, its newline included. @throws {SkillError} `malformed`. */
export function readNote(note: string, head: string, most: number): SignedNote {
  if (note.length > most) throw noNote("is too long");
  const [first, body, blank, ...lines] = note.split("\n");
  if (`${first}\n` !== head || body === undefined || blank !== "" || lines.pop() !== "" || lines.length === 0)
    throw noNote("does not have the lines of one");
  if (lines.length > MAX_SIGNATURES) throw noNote(`has more than ${MAX_SIGNATURES} signatures`);
  const signatures = lines.map((line) => {
    const [, name = "", blob64 = ""] = /^\u2014 ([^ ]+) ([^ ]+)$/.exec(line) ?? [];
    const blob = fromBase64(blob64);
    if (!KEY_NAME.test(name) || blob === null || blob.length !== ID_BYTES + SIGNATURE_BYTES)
      throw noNote("has a signature line that is none");
    return { name, id: blob.subarray(0, ID_BYTES).toString("hex"), bytes: blob.subarray(ID_BYTES) };
  });
  return { text: `${head}${body}\n`, body, signatures };
}

/** Is it signed by this key? A line of another key is nothing to it.
 *  @throws {SkillError} `forged` where it has a line of this key that is not good. */
export function isSignedBy({ text, signatures }: SignedNote, { name, id, key }: SkillKey): boolean {
  const own = signatures.filter((line) => line.name === name && line.id === id);
  if (own.length === 0) return false;
  if (own.length > 1 || own.some(({ bytes }) => !verify(null, Buffer.from(text), key, bytes)))
    throw new SkillError(
      "forged",
      `its signature by ${name} is not good: something was changed after it was signed`,
      "install it again from where it came from",
    );
  return true;
}

/** @returns null unless the text is the one base64 form of its bytes. */
function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.length > 0 && bytes.toString("base64") === text ? bytes : null;
}

function noKey(why: string): SkillError {
  return new SkillError("malformed", why, "a public key looks like NAME+HEX+BASE64");
}

function noNote(why: string): SkillError {
  return new SkillError("malformed", `its signed text ${why}`, "have whoever made it sign it again");
}
