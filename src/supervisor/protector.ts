import type { ChildProcess } from "node:child_process";
import { VaultError, type VaultErrorCode } from "../../vault/error.ts";
import type { Keychain } from "../../vault/protector.ts";
import { Secret } from "../../vault/secret.ts";
import type { ToKeychain } from "../ipc/keychain-frames.ts";
import { type Answered, type HelperOptions, KeychainHelper } from "./keychain-helper.ts";
import { hasSessionBus } from "./session-bus.ts";

/** How long a helper may take: nobody waits for a daemon that asks a keychain, while a person may be typing the password it asks for. */
export const KEYCHAIN_MS = { daemon: 3000, terminal: 60_000 } as const;
/** What a probe found; `unreachable` is also a helper that did not answer in time. */
export type KeychainState = "works" | "locked" | "absent" | "unreachable";

/** What the keychain knows of the log's end. A keychain that is locked or gone knows nothing: that is `unreachable`, never `absent`. */
export type PinRead = { readonly state: "found"; readonly note: string } | { readonly state: "absent" | "unreachable" };

export interface KeychainOptions extends HelperOptions {
  /** Milliseconds from a question until its helper is killed: one of {@link KEYCHAIN_MS}. */
  readonly timeout: number;
  /** Helpers that were started in advance, for the first questions; {@link HelperKeychain.rest} ends those that are not asked. */
  readonly started?: readonly ChildProcess[];
}

/** The operating system's keychain, asked in a process of its own for every question: it may hang for 50 seconds, even at exit, and it may crash. */
export class HelperKeychain implements Keychain {
  readonly #options: KeychainOptions;
  readonly #spare: KeychainHelper[];

  constructor(options: KeychainOptions) {
    this.#options = options;
    this.#spare = (options.started ?? []).map((started) => new KeychainHelper(options, started));
  }

  async read(account: string): Promise<Secret | null> {
    const { answer, payload } = await this.#ask({ type: "read", account });
    if (answer.type === "found") return Secret.take(payload);
    if (answer.type === "missing") return null;
    throw failure(answer, payload);
  }

  async write(account: string, value: Secret): Promise<void> {
    // An ArrayBuffer of its own, which the pipe wipes once it is sent.
    const bytes = value.use((own) => {
      const copy = new Uint8Array(new ArrayBuffer(own.length));
      copy.set(own);
      return copy;
    });
    const { answer, payload } = await this.#ask({ type: "write", account }, bytes);
    if (answer.type !== "done") throw failure(answer, payload);
  }

  async delete(account: string): Promise<void> {
    const { answer, payload } = await this.#ask({ type: "delete", account });
    if (answer.type !== "done" && answer.type !== "missing") throw failure(answer, payload);
  }

  /** Can it be used here and now? It writes, reads and deletes an entry to find out. Never rejects. */
  async probe(): Promise<KeychainState> {
    const { answer } = await this.#ask({ type: "probe" });
    if (answer.type === "works") return "works";
    return answer.type === "failed" ? answer.state : "unreachable";
  }

  /** @param vaultId in hex. Never rejects. */
  async readPin(vaultId: string): Promise<PinRead> {
    const { answer, payload } = await this.#ask({ type: "read", account: pinAccount(vaultId) });
    if (answer.type === "found") return { state: "found", note: Buffer.from(payload).toString("utf8") };
    return { state: answer.type === "missing" ? "absent" : "unreachable" };
  }

  /** @param note the newest checkpoint, at most 1,024 bytes. @throws {VaultError} if it is not kept. */
  async writePin(vaultId: string, note: string): Promise<void> {
    const { answer, payload } = await this.#ask({ type: "write", account: pinAccount(vaultId) }, Buffer.from(note));
    if (answer.type !== "done") throw failure(answer, payload);
  }

  /** Asks a helper that waits, or a new one, and ends it. */
  async #ask(question: ToKeychain, value?: Uint8Array): Promise<Answered> {
    // A process would be started only to be told so by its library.
    if (this.#options.image === undefined && !hasSessionBus(process.env)) {
      value?.fill(0);
      return { answer: { type: "failed", state: "absent" }, payload: Buffer.from("no session bus is to be found") };
    }
    let helper = this.#spare.shift();
    while (helper?.over === true) helper = this.#spare.shift();
    helper ??= new KeychainHelper(this.#options);
    return await helper.ask(question, value, this.#options.timeout);
  }

  /** Ends the helpers that were started in advance and not asked. */
  rest(): void {
    for (const helper of this.#spare.splice(0)) helper.end();
  }
}

/** The newest checkpoint of a vault's log: `pin/<32 hex of the vault's id>`. */
function pinAccount(vaultId: string): string {
  return `pin/${vaultId}`;
}

const FAILURES = {
  locked: {
    code: "VAULT_KEYCHAIN_LOCKED",
    sentence: "The keychain is locked: unlock it, by logging in to the desktop or in its own program",
  },
  absent: {
    code: "VAULT_KEYCHAIN_ABSENT",
    sentence: "There is no keychain in this session: start it from the desktop's session, or choose a passphrase",
  },
  unreachable: { code: "VAULT_KEYCHAIN_UNREACHABLE", sentence: "The keychain cannot be reached" },
} as const satisfies Record<string, { code: VaultErrorCode; sentence: string }>;

/** @param payload the keychain's own words. */
function failure(answer: Answered["answer"], payload: Uint8Array): VaultError {
  const { code, sentence } = FAILURES[answer.type === "failed" ? answer.state : "unreachable"];
  const words = answer.type === "failed" ? Buffer.from(payload).toString("utf8") : `it answered ${answer.type}`;
  return new VaultError(code, `${sentence} (${words})`, { cause: new Error(words) });
}
