/** What signs a log's checkpoints: an Ed25519 key, one per epoch. Built by the vault. */
export interface Signer {
  /** The public half as C2SP writes it: `<origin>+<8 hex of the key id>+<base64(0x01 ‖ public key)>`. */
  readonly vkey: string;
  /** @returns an Ed25519 signature, 64 bytes. */
  sign(text: Uint8Array): Uint8Array;
}

/** What seals a row's content. Built by the vault.
 *  `scope` is `daemon` or a session's id and chooses the key; `place` is authenticated, so a sealed part does not open in another place. */
export interface Sealer {
  seal(scope: string, place: string, plain: Uint8Array): Uint8Array;
  /** @returns null when the scope's key is gone: its content was erased. @throws when the key is there and the bytes do not open. */
  open(scope: string, place: string, sealed: Uint8Array): Uint8Array | null;
  /** Seals what is sealed already anew, under the scope's newest key. @returns null if nothing opens it. @throws when that cannot be told now. */
  renew(scope: string, place: string, sealed: Uint8Array): Uint8Array | null;
}

/** Milliseconds: `now` since 1970 by the system's clock, `monotonic` since any instant and never backwards. */
export interface Clock {
  now(): number;
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
