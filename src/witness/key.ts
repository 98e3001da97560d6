import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { closeSync, constants, fsyncSync, lstatSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { COSIGNATURE, writeVkey } from "../../audit/note.ts";
import { parseWitnessVkey } from "../../audit/cosignature.ts";
import { WitnessError } from "./witness-error.ts";

/** What signs for a witness. */
export interface WitnessKey {
  readonly name: string;
  /** 8 hex digits. */
  readonly id: string;
  readonly vkey: string;
  sign(bytes: Uint8Array): Uint8Array;
}

const NAME = /^[\x21-\x2a\x2c-\x7e]{1,120}$/;
const PUBLIC_BYTES = 32;

/** Opens the witness's folder, which only its owner may enter, and the key in it; both are made if they are not there.
 *  @param name of a new witness; one that is there keeps its own. @throws {WitnessError}. */
export function openKey(folder: string, name: string | null): WitnessKey {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    if (!found.isDirectory() || (found.mode & 0o077) !== 0)
      throw new WitnessError("WITNESS_STATE", `${folder} is open to others: chmod 700 it, or choose another folder`);
    const path = join(folder, "witness.key");
    const kept = readKept(path);
    return kept === null ? makeKey(path, name) : keyOf(kept.name, kept.key);
  } catch (cause) {
    if (cause instanceof WitnessError) throw cause;
    throw new WitnessError("WITNESS_STATE", `${folder} cannot be used: ${sentenceOf(cause)}`, { cause });
  }
}

/** The file's form: the name on its first line, then the key in PEM. */
function readKept(path: string): { name: string; key: KeyObject } | null {
  let text: string;
  try {
    if ((lstatSync(path).mode & 0o077) !== 0)
      throw new WitnessError("WITNESS_STATE", `${path} can be read by others: its key is to be replaced`);
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
  const end = text.indexOf("\n");
  const name = text.slice(0, Math.max(0, end));
  if (!NAME.test(name)) throw new WitnessError("WITNESS_STATE", `${path} is not the key of a witness`);
  try {
    const key = createPrivateKey(text.slice(end + 1));
    if (key.asymmetricKeyType === "ed25519") return { name, key };
  } catch (cause) {
    throw new WitnessError(
      "WITNESS_STATE",
      `${path} is damaged: restore it, or begin a new witness in another folder`,
      {
        cause,
      },
    );
  }
  throw new WitnessError("WITNESS_STATE", `${path} is not an Ed25519 key`);
}

function makeKey(path: string, given: string | null): WitnessKey {
  const name = given ?? `wirken.local/witness/${randomBytes(8).toString("hex")}`;
  if (!NAME.test(name))
    throw new WitnessError("WITNESS_INPUT", "a witness's name has no spaces and no plus, and at most 120 characters");
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" });
  // Exclusively: two that start at once do not end up with two keys.
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(file, `${name}\n${pem}`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return keyOf(name, privateKey);
}

function keyOf(name: string, key: KeyObject): WitnessKey {
  const raw = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-PUBLIC_BYTES);
  const vkey = writeVkey(name, raw, COSIGNATURE);
  return { name, vkey, id: parseWitnessVkey(vkey).id, sign: (bytes) => new Uint8Array(sign(null, bytes, key)) };
}

function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
