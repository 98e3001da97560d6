import type { AuditLog } from "../../audit/log.ts";
import { VaultError } from "../../vault/error.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { AnchorHistory } from "./anchor-history.ts";
import { OperatorError } from "./operator-error.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

/** The keys that sign the log: which there were, and a new one. */
export class LogKeys {
  readonly #log: AuditLog;
  readonly #keeper: VaultKeeper;
  readonly #anchors: AnchorHistory;

  constructor(log: AuditLog, keeper: VaultKeeper, anchors: AnchorHistory) {
    this.#log = log;
    this.#keeper = keeper;
    this.#anchors = anchors;
  }

  show(): AnswerTo<"audit.key.show"> {
    const { origin, vkey, protector, at: opened } = this.#log.genesis;
    const rotations = this.#log.epoch === 1 ? [] : this.#log.rows({ kind: "key.rotated", limit: 1000 }).toReversed();
    const epochs = [
      { epoch: 1, vkey, protector, from: 0, since: opened },
      ...rotations.flatMap(({ action, seq, at: since }) =>
        action.kind === "key.rotated"
          ? [{ epoch: action.epoch, vkey: action.vkey, protector: action.protector, from: seq + 1, since }]
          : [],
      ),
    ];
    return { origin, epochs: epochs.map((epoch, at) => ({ ...epoch, to: epochs[at + 1]?.from ?? null })) };
  }

  /** Hands the log to a new key and destroys the one before. A crash at any step is finished by the next start. @throws {OperatorError}. */
  async rotate(): Promise<AnswerTo<"audit.key.rotate">> {
    try {
      const { size, pinned } = await this.#keeper.rotateLogKey();
      const witnesses = this.#anchors.promised.filter(({ type }) => type === "witness").map(({ name }) => name);
      return { epoch: this.#log.epoch, vkey: this.#log.vkey, size, pinned, witnesses };
    } catch (error) {
      if (error instanceof VaultError) throw new OperatorError("not-ready", error.message, null, { cause: error });
      throw error;
    }
  }
}
