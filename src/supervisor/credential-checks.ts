import type { AuditLog } from "../../audit/log.ts";
import { VaultError } from "../../vault/error.ts";
import type { Credential } from "../../vault/vault.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { CredentialRotation } from "./credential-rotation.ts";
import { type Checked, type Credentials, secretOf } from "./credentials.ts";
import { canBeChecked } from "../ipc/vault-calls.ts";
import { OperatorError } from "./operator-error.ts";
import type { SecretOf } from "./processes.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

export interface CredentialChecksParts {
  readonly log: AuditLog;
  readonly keeper: VaultKeeper;
  readonly credentials: Credentials;
  readonly rotation: CredentialRotation;
  /** Asks a platform about what is saved, in a process of that platform, to which it is handed. */
  readonly check: (secret: SecretOf) => Promise<Checked>;
  /** A process that runs already says by itself whether it works. */
  readonly triedByItself: (scope: string) => boolean;
  readonly now: () => number;
  readonly line: (sentence: string) => void;
}

type CheckView = AnswerTo<"vault.check">;

/** Asks platforms whether what is saved still works, one credential at a time. */
export class CredentialChecks {
  readonly #parts: CredentialChecksParts;
  #settling = false;
  #closed = false;

  constructor(parts: CredentialChecksParts) {
    this.#parts = parts;
  }

  /** @param scope of one credential. @returns what its platform says, which is recorded. @throws {OperatorError}. */
  async check(scope: string): Promise<CheckView> {
    const { keeper, rotation } = this.#parts;
    keeper.refuseLocked();
    const [newest] = keeper.vault.credentials(scope);
    if (newest === undefined)
      throw new OperatorError(
        "not-found",
        `there is no credential at ${scope}`,
        "run wirken vault list to see what there is",
      );
    if (!canBeChecked(scope))
      throw new OperatorError("usage", `nobody can be asked about ${scope}`, "it shows where it is used");
    return await rotation.alone(scope, async () => await this.#check(newest));
  }

  async #check(before: Credential): Promise<CheckView> {
    const { keeper, log, now, credentials, rotation } = this.#parts;
    const { scope } = before;
    const asked = secretOf(keeper.vault, scope);
    const checked = asked === null ? gone(scope) : await this.#ask(asked);
    // A token that had ended may have been renewed on the way.
    const [newest = before] = keeper.vault.credentials(scope);
    const secret = secretOf(keeper.vault, scope);
    const { version } = newest;
    const { result, account } = checked;
    await log.append(
      { kind: "credential.checked", scope, result },
      { cause: null, ...(account === null ? {} : { content: { account } }) },
    );
    const settled = newest.checked !== null && newest.fallback === null;
    if (result === "good" && !settled) {
      const verdict = await rotation.tryOut(scope, version, account);
      if (!verdict.works) return { scope, result: "refused", account: null, sentence: verdict.sentence };
    } else if (result === "good") {
      const at = new Date(now()).toISOString();
      const known = account ?? newest.account;
      await keeper.vault.change({ change: "account", scope, checked: at, account: known }, keeper.recorder(null));
    } else if (result === "refused" && newest.fallback !== null && secret !== null) {
      await credentials.failed(secret);
      const sentence = `${checked.sentence ?? "it was refused"}; the one before is in force again`;
      return { scope, result, account: null, sentence };
    }
    return {
      scope,
      result,
      account: account ?? (result === "good" ? newest.account : null),
      sentence: checked.sentence,
    };
  }

  async #ask(secret: SecretOf): Promise<Checked> {
    try {
      return await this.#parts.check(secret);
    } catch (error) {
      if (!(error instanceof VaultError)) throw error;
      return { result: "refused", account: null, sentence: error.message };
    }
  }

  /** Tries what was saved unchecked, or not confirmed before a crash, in the background. What a running channel connects with is judged by that. */
  settle(): void {
    if (this.#settling) return;
    this.#settling = true;
    void this.#settle().finally(() => {
      this.#settling = false;
    });
  }

  async #settle(): Promise<void> {
    const { keeper, line, triedByItself } = this.#parts;
    for (const { scope, checked, fallback } of keeper.vault.credentials()) {
      if (this.#closed || keeper.vault.locked) return;
      if ((checked !== null && fallback === null) || !canBeChecked(scope) || triedByItself(scope)) continue;
      try {
        const { result, sentence } = await this.check(scope);
        line(`${scope}, which was not checked, is ${result}${sentence === null ? "" : `: ${sentence}`}`);
      } catch (error) {
        line(`${scope} could not be checked: ${error instanceof Error ? error.name : "error"}`);
      }
    }
  }

  /** No further one is begun. */
  close(): void {
    this.#closed = true;
  }
}

function gone(scope: string): Checked {
  return { result: "refused", account: null, sentence: `${scope} was removed meanwhile` };
}
