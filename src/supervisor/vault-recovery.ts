import { closeSync, constants, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname, isAbsolute, relative } from "node:path";
import type { AuditLog } from "../../audit/log.ts";
import { Secret } from "../../vault/secret.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { VaultStatus } from "../ipc/vault-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { told, type VaultKeeper } from "./vault-keeper.ts";
import { syncFolder } from "./staged-swap.ts";

/** Ways back to a vault whose protector is lost: a phrase on paper, and a sealed file elsewhere. */
export class VaultRecovery {
  readonly #keeper: VaultKeeper;
  readonly #log: AuditLog;
  /** The data directory: what burns with it is no backup. */
  readonly #home: string;
  readonly #now: () => number;

  constructor(parts: { keeper: VaultKeeper; log: AuditLog; home: string; now: () => number }) {
    this.#keeper = parts.keeper;
    this.#log = parts.log;
    this.#home = parts.home;
    this.#now = parts.now;
  }

  /** The phrase itself was made, shown and typed elsewhere, and never comes here. @param publicKey 32 bytes. @throws {OperatorError}. */
  async create(publicKey: Uint8Array, who: By): Promise<VaultStatus> {
    this.#keeper.refuseLocked();
    try {
      await this.#keeper.vault.change(
        { change: "recovery", publicKey: Uint8Array.from(publicKey) },
        this.#keeper.recorder(null),
      );
    } catch (error) {
      throw told(error);
    }
    await this.#log.append({ kind: "vault.recovery.created", ...who }, { cause: null });
    return await this.#keeper.status();
  }

  /** Writes everything in the vault to a new file, which only the recovery phrase or the passphrase opens.
   *  @param out an absolute path, where nothing is yet. @param passphrase may be empty; wiped. @throws {OperatorError}. */
  async backup(out: string, passphrase: Uint8Array, who: By): Promise<AnswerTo<"vault.backup">> {
    using typed = Secret.take(passphrase);
    this.#keeper.refuseLocked();
    if (!isAbsolute(out)) throw new OperatorError("usage", `${out} is no path from the root of the file system`);
    if (!relative(this.#home, out).startsWith(".."))
      throw new OperatorError(
        "usage",
        "a backup inside the data directory is lost with it",
        "name a place outside of it, best on another disk",
      );
    const { vault } = this.#keeper;
    const given = typed.use((bytes) => bytes.length) > 0;
    const opens = given ? (vault.recoverable ? "both" : "passphrase") : "phrase";
    let file: Uint8Array;
    try {
      file = await vault.backup(new Date(this.#now()).toISOString(), { passphrase: given ? typed : null });
    } catch (error) {
      throw told(error);
    }
    await this.#log.append({ kind: "vault.backup", opens, ...who }, { cause: null, content: { path: out } });
    write(out, file);
    return { path: out, bytes: file.length, opens };
  }
}

function write(path: string, bytes: Uint8Array): void {
  let made = false;
  try {
    const file = openSync(
      path,
      constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW | constants.O_WRONLY,
      0o600,
    );
    made = true;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    syncFolder(dirname(path));
  } catch (cause) {
    if (made) rmSync(path, { force: true });
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown";
    throw new OperatorError(
      "usage",
      code === "EEXIST" ? `there is something at ${path} already` : `${path} cannot be written (${code})`,
      code === "EEXIST"
        ? "a backup is never written over another: name a new file"
        : "name a file in a folder that is there",
      { cause },
    );
  }
}
