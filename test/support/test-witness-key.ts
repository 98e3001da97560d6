import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { createHash } from "node:crypto";

/** A witness's key, its cosignatures and their form as C2SP tlog-cosignature writes them, made without the product's code. */
export class TestWitnessKey {
  readonly name: string;
  readonly vkey: string;
  readonly #key: KeyObject;
  readonly #id: Buffer;

  constructor(name = "witness.test/w1", key: KeyObject = generateKeyPairSync("ed25519").privateKey) {
    this.name = name;
    this.#key = createPrivateKey({ key: key.export({ type: "pkcs8", format: "der" }), type: "pkcs8", format: "der" });
    const raw = createPublicKey(this.#key).export({ type: "spki", format: "der" }).subarray(-32);
    const typed = Buffer.concat([Buffer.of(4), raw]);
    this.#id = createHash("sha256").update(name).update("\n").update(typed).digest().subarray(0, 4);
    this.vkey = `${name}+${this.#id.toString("hex")}+${typed.toString("base64")}`;
  }

  /** @param note a checkpoint with its signatures. @param time seconds since 1970. @returns the line, its newline included. */
  cosign(note: string, time = Math.floor(Date.now() / 1000)): string {
    const text = note.slice(0, note.indexOf("\n\n") + 1);
    const stamp = Buffer.alloc(8);
    stamp.writeBigUInt64BE(BigInt(time));
    const signature = sign(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), this.#key);
    return `\u2014 ${this.name} ${Buffer.concat([this.#id, stamp, signature]).toString("base64")}\n`;
  }
}

/** Is this a good log signature (C2SP signed-note, type 0x01) on the note by this vkey? Other keys' lines are ignored. */
export function signedBy(note: string, vkey: string): boolean {
  const [, name = "", id = "", key = ""] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
  const raw = Buffer.from(key, "base64").subarray(1);
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), raw]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  const end = note.indexOf("\n\n") + 1;
  return note
    .slice(end + 1)
    .split("\n")
    .some((line) => {
      const [, signer, blob = ""] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
      const bytes = Buffer.from(blob, "base64");
      if (signer !== name || bytes.subarray(0, 4).toString("hex") !== id) return false;
      return verify(null, Buffer.from(note.slice(0, end)), publicKey, bytes.subarray(4));
    });
}
