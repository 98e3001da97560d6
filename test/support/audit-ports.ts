import { createCipheriv, createDecipheriv, createPrivateKey, createPublicKey, randomBytes, sign } from "node:crypto";
import { writeVkey } from "../../audit/note.ts";
import type { Clock, Sealer, Signer } from "../../audit/ports.ts";

/** The audit room's ports with real cryptography: Ed25519 and ChaCha20-Poly1305 of node:crypto. */

/** RFC 8410 §7: what stands before the seed of an Ed25519 private key. */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

/** @param seed 32 bytes; the same seed is the same key. */
export function ed25519Signer(origin: string, seed: Uint8Array = randomBytes(32)): Signer {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" }).subarray(12);
  return { vkey: writeVkey(origin, publicKey), sign: (text) => new Uint8Array(sign(null, text, key)) };
}

export function newOrigin(): string {
  return `wirken.local/audit/${randomBytes(16).toString("hex")}`;
}

/** Keys by scope, made when first asked for. */
export class ScopedSealer implements Sealer {
  readonly #keys = new Map<string, Buffer>();
  readonly #erased = new Set<string>();

  seal(scope: string, place: string, plain: Uint8Array): Uint8Array {
    if (this.#erased.has(scope)) throw new Error(`the key of ${scope} was destroyed`);
    const key = this.#keys.get(scope) ?? randomBytes(32);
    this.#keys.set(scope, key);
    const nonce = randomBytes(12);
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.setAAD(Buffer.from(place), { plaintextLength: plain.length });
    return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  }

  open(scope: string, place: string, sealed: Uint8Array): Uint8Array | null {
    if (this.#erased.has(scope)) return null;
    const key = this.#keys.get(scope);
    if (key === undefined) throw new Error(`there never was a key of ${scope}`);
    const cipher = createDecipheriv("chacha20-poly1305", key, sealed.subarray(0, 12), { authTagLength: 16 });
    const text = sealed.subarray(12, -16);
    cipher.setAAD(Buffer.from(place), { plaintextLength: text.length });
    cipher.setAuthTag(sealed.subarray(-16));
    return Buffer.concat([cipher.update(text), cipher.final()]);
  }

  renew(scope: string, place: string, sealed: Uint8Array): Uint8Array | null {
    const plain = this.open(scope, place, sealed);
    return plain === null ? null : this.seal(scope, place, plain);
  }

  /** Destroys a scope's key: its content is erased. */
  erase(scope: string): void {
    this.#keys.delete(scope);
    this.#erased.add(scope);
  }
}

/** A clock that a test moves. Both hands advance together unless told otherwise. */
export class HandClock implements Clock {
  wall: number;
  steady = 0;

  constructor(start = "2026-11-23T22:31:00.000Z") {
    this.wall = Date.parse(start);
  }
  now(): number {
    return this.wall;
  }
  monotonic(): number {
    return this.steady;
  }
  /** Time passes. */
  pass(ms: number): void {
    this.wall += ms;
    this.steady += ms;
  }
  /** The system's clock is set, or the machine slept: the monotonic clock does not see it. */
  step(ms: number): void {
    this.wall += ms;
  }
}
