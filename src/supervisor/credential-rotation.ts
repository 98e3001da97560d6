import type { AuditLog } from "../../audit/log.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { type CheckCandidate, type Credentials, type Enrolled, secretOf, type Verdict } from "./credentials.ts";
import { canBeChecked } from "../ipc/vault-calls.ts";
import { refuseUnexchanged, toKeep } from "./exchanged.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { SecretOf } from "./processes.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

/** What takes the place of a credential; what is not given is kept from the version before. */
export interface Replacing extends Pick<Enrolled, "scope" | "check"> {
  readonly hosts: readonly string[] | null;
  readonly header?: string | null;
  readonly expires: string | null;
  readonly rotationDue: string | null;
}

export interface CredentialRotationParts {
  /** What opens the proxy is another. */
  readonly proxyChanged: () => Promise<void>;
  readonly log: AuditLog;
  readonly keeper: VaultKeeper;
  readonly credentials: Credentials;
  readonly check: CheckCandidate;
  readonly now: () => number;
  /** Hands a version to the child that holds the scope's secret, without a restart. @returns null where none runs. */
  readonly handOver: (secret: SecretOf) => Promise<Verdict | null>;
  readonly line: (sentence: string) => void;
}

/** Replaces credentials while what uses them goes on. The version before stays until the new one has worked; a crash leaves both, and the next
 *  start tries the new one. */
export class CredentialRotation {
  readonly #parts: CredentialRotationParts;
  /** Scopes that are being replaced or tried. */
  readonly #busy = new Set<string>();

  constructor(parts: CredentialRotationParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} where nothing is kept of the candidate, which is wiped whatever happens. */
  async rotate(given: Replacing, candidate: readonly NamedBytes[], who: By): Promise<AnswerTo<"vault.rotate">> {
    try {
      return await this.alone(given.scope, async () => await this.#rotate(given, candidate, who));
    } finally {
      for (const { bytes } of candidate) bytes.fill(0);
    }
  }

  /** One at a time changes or tries a scope. @throws {OperatorError} while another does. */
  async alone<T>(scope: string, work: () => Promise<T>): Promise<T> {
    if (this.#busy.has(scope))
      throw new OperatorError("not-ready", `${scope} is being replaced or checked already`, "try again in a minute");
    this.#busy.add(scope);
    try {
      return await work();
    } finally {
      this.#busy.delete(scope);
    }
  }

  async #rotate(given: Replacing, candidate: readonly NamedBytes[], who: By): Promise<AnswerTo<"vault.rotate">> {
    const { keeper, credentials, now } = this.#parts;
    const { scope } = given;
    const what = credentials.expect(scope, candidate);
    const [before] = keeper.vault.credentials(scope);
    if (before === undefined)
      throw new OperatorError(
        "not-found",
        `there is no credential at ${scope} to replace`,
        "enrol it: wirken vault add",
      );
    keeper.refuseLocked();
    const ahead = (at: string | null): string | null => (at !== null && Date.parse(at) > now() ? at : null);
    const known = {
      hosts: given.hosts ?? before.hosts,
      header: given.header ?? before.header ?? null,
      expires: given.expires ?? ahead(before.expires),
      rotationDue: given.rotationDue ?? ahead(before.rotationDue),
    };
    credentials.refusePast(known);
    const checked = given.check && canBeChecked(scope) ? await this.#parts.check(scope, candidate) : null;
    if (checked?.result === "refused")
      throw new OperatorError(
        "bad-answer",
        checked.sentence ?? `${scope} was refused by its platform`,
        "nothing was saved, and the one before goes on",
      );
    refuseUnexchanged(scope, candidate, checked);
    const account = checked?.account ?? null;
    if (what.kind === "channel" && account !== null && before.account !== null && account !== before.account)
      throw new OperatorError(
        "bad-answer",
        `this belongs to ${account}, and ${scope} is ${before.account}: nothing was saved`,
        "a rotation keeps the account; another one is enrolled with wirken vault add",
      );
    const version = await credentials.save({ scope, ...known }, toKeep(scope, candidate, checked), checked, who);
    if (what.kind === "secret" || what.kind === "network") {
      await credentials.confirm(scope, null);
      if (what.kind === "network") await this.#parts.proxyChanged();
      return { checked: false, account: null, version, state: "in-use", notes: [] };
    }
    if (checked?.result !== "good") {
      const why = checked?.sentence ?? "it was not checked";
      return {
        checked: false,
        account,
        version,
        state: "candidate",
        notes: [`${why}: saved beside the one before, which goes on; the new one is tried at the next start`],
      };
    }
    const verdict = await this.tryOut(scope, version, account);
    if (!verdict.works)
      throw new OperatorError(
        "bad-answer",
        `the new credential of ${scope} did not work (${verdict.sentence}): the one before is in force again`,
        "nothing is to be done; to try again: wirken vault rotate",
      );
    return { checked: true, account: verdict.account ?? account, version, state: "in-use", notes: [] };
  }

  /** Puts a saved version to use: confirmed once it works where it is used, rolled back if it does not. */
  async tryOut(scope: string, version: number, account: string | null): Promise<Verdict> {
    const { keeper, credentials, handOver, line } = this.#parts;
    const secret = secretOf(keeper.vault, scope);
    if (secret === null || secret.version !== version)
      return { works: false, sentence: "it was removed or replaced meanwhile" };
    const verdict = (await handOver(secret)) ?? { works: true, account };
    if (verdict.works) {
      await credentials.worked(secret, verdict.account ?? account);
      return verdict;
    }
    const former = await credentials.failed(secret);
    if (former !== null)
      // What comes of it is the child's to say, and is in its state: nobody waits for it here.
      void handOver(former).catch((error: unknown) =>
        line(`${scope} could not be handed back: ${error instanceof Error ? error.name : "error"}`),
      );
    return verdict;
  }
}
