import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { type AuditLog, BootLog } from "../../audit/log.ts";
import type { Clock, Sealer, Signer } from "../../audit/ports.ts";
import { KEY_BYTES, loadAead } from "../../vault/crypto.ts";
import { Secret } from "../../vault/secret.ts";
import { StateSeal, type StateSealer } from "../../vault/state-seal.ts";
import { ScopedSealer } from "../support/audit-ports.ts";

/** A clock that tests can move on. */
export class TestClock implements Clock {
  #ahead = 0;
  now(): number {
    return Date.now() + this.#ahead;
  }
  monotonic(): number {
    return performance.now() + this.#ahead;
  }
  advance(milliseconds: number): void {
    this.#ahead += milliseconds;
  }
}

/** The keys of one log, kept over its restarts. */
export interface LogKeys {
  readonly signer: Signer;
  readonly sealer: Sealer;
  /** What the projection's personal columns are sealed with. */
  readonly state: StateSealer;
}

await loadAead();

export function newKeys(): LogKeys {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const spki = publicKey.export({ format: "der", type: "spki" });
  const typed = Buffer.concat([Buffer.of(1), spki.subarray(-32)]);
  const origin = `wirken.local/audit/${randomBytes(16).toString("hex")}`;
  const id = createHash("sha256").update(`${origin}\n`).update(typed).digest("hex").slice(0, 8);
  return {
    signer: {
      vkey: `${origin}+${id}+${typed.toString("base64")}`,
      sign: (text) => sign(null, text, privateKey),
    },
    sealer: new ScopedSealer(),
    state: new StateSeal(Secret.random(KEY_BYTES), randomBytes(16)),
  };
}

/** Opens the real log, as a start does. */
export async function openLog(path: string, clock: Clock, keys: LogKeys): Promise<AuditLog> {
  const boot = BootLog.open(path, clock);
  return boot.genesis === null
    ? boot.create(keys.signer, keys.sealer, { protector: "none", anchors: 0 })
    : boot.unseal(keys.signer, keys.sealer);
}
