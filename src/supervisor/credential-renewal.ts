import type { AuditLog } from "../../audit/log.ts";
import { Secret } from "../../vault/secret.ts";
import type { Credential } from "../../vault/vault.ts";
import { type AdapterChannel, platformOf } from "../ipc/channel.ts";
import type { NamedBytes } from "../ipc/named-bytes.ts";
import { renewedNames } from "../ipc/platform-credentials.ts";
import type { CredentialRotation } from "./credential-rotation.ts";
import { type Credentials, secretOf, type Verdict } from "./credentials.ts";
import { OperatorError } from "./operator-error.ts";
import type { SecretOf } from "./processes.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

/** What a process says once it has asked its platform. */
export type Renewed =
  | { readonly renewed: readonly NamedBytes[] }
  | { readonly failure: "refused" | "unreachable"; readonly sentence: string };

/** A process that wants to renew the credential that it has. */
export interface Renewing {
  readonly secret: SecretOf;
  /** It may ask its platform. @returns what it says then; null: it ended, or said nothing in time. */
  grant(): Promise<Renewed | null>;
  /** @param waitMs before which it is not to ask again. */
  deny(waitMs: number): Promise<void>;
  /** The vault could not keep what it was given. @returns what it says the next time; null as above. */
  unkept(): Promise<Renewed | null>;
  /** The vault holds it: it goes on with that. @returns whether that works; null: that is somebody else's to say. */
  kept(secret: SecretOf): Promise<Verdict | null>;
}

export interface CredentialRenewalParts {
  readonly log: AuditLog;
  readonly keeper: VaultKeeper;
  readonly credentials: Credentials;
  readonly rotation: CredentialRotation;
  readonly now: () => number;
  readonly line: (sentence: string) => void;
}

/** Renewals of one credential in one hour: each is a version in the vault and some rows of the log. The shortest-lived tokens are good for five minutes,
 *  and are renewed at half of that. */
const MAX_AN_HOUR = 30;
/** While a credential is being replaced or checked, its process asks again after this. */
const BUSY_MS = 2_000;
const HOUR_MS = 3_600_000;
/** All of what is renewed, in bytes. */
const MAX_RENEWED_BYTES = 16_384;

/** Lets processes renew what ends by itself. What is renewed with is good for one use on most platforms, so that the order is: the intent is on the log; the
 *  platform is asked; what it gave is sealed beside the version of before; the process is told, and uses it; it works, and the version of before is
 *  destroyed. A crash before the sealing may leave a version that the platform does not renew any more: it is good until its own end, the next
 *  process asks once more (some platforms give again what was never used), and a person is told when the platform says no. */
export class CredentialRenewal {
  readonly #parts: CredentialRenewalParts;
  readonly #times = new Map<string, readonly number[]>();
  /** Why a credential could not be renewed, by its scope. */
  readonly #refused = new Map<string, { readonly version: number; readonly sentence: string }>();

  constructor(parts: CredentialRenewalParts) {
    this.#parts = parts;
  }

  /** A sentence for each credential that its platform does not renew any more. */
  notes(): string[] {
    return [...this.#refused].flatMap(([scope, { version, sentence }]) => {
      const [newest] = this.#parts.keeper.vault.credentials(scope);
      return newest?.version === version ? [`${sentence}; until its end the token goes on working`] : [];
    });
  }

  /** @param held whoever calls has the scope for itself already. */
  async run(process: Renewing, held = false): Promise<void> {
    const { rotation, line } = this.#parts;
    const { scope } = process.secret;
    let granted = false;
    const work = async (): Promise<void> => {
      const newest = this.#may(process.secret);
      if (typeof newest === "number") return await process.deny(newest);
      granted = true;
      await this.#renew(process, newest);
    };
    try {
      if (held) await work();
      else await rotation.alone(scope, work);
    } catch (error) {
      if (granted || !(error instanceof OperatorError))
        line(`${scope} was not renewed: ${error instanceof Error ? error.message : "error"}`);
      if (!granted) await process.deny(BUSY_MS);
    }
  }

  /** @returns what is to be renewed, or how long to wait, in milliseconds. */
  #may({ scope, version }: SecretOf): Credential | number {
    const { keeper, now, line } = this.#parts;
    const [newest] = keeper.vault.credentials(scope);
    // Behind a locked vault nothing could be sealed.
    if (newest?.version !== version || keeper.vault.locked) return BUSY_MS;
    const since = now() - HOUR_MS;
    const times = (this.#times.get(scope) ?? []).filter((at) => at > since);
    if (times.length >= MAX_AN_HOUR) {
      line(`${scope} was renewed ${MAX_AN_HOUR} times within an hour: it waits`);
      return Math.max(0, (times[0] ?? since) - since);
    }
    this.#times.set(scope, [...times, now()]);
    return newest;
  }

  async #renew(process: Renewing, before: Credential): Promise<void> {
    const { log, credentials, line } = this.#parts;
    const { scope, version } = before;
    await using recorded = await log.record({ kind: "credential.renewing", scope, version }, { cause: null });
    recorded.redeem();
    let said = await process.grant();
    let secret: SecretOf | null = null;
    while (secret === null) {
      if (said === null) {
        await recorded.fail(new Error("its process ended, or did not say what came of it in time"));
        return;
      }
      if ("failure" in said) {
        await recorded.fail(new Error(said.sentence));
        line(`${scope} was not renewed: ${said.sentence}`);
        if (said.failure === "refused") this.#refused.set(scope, { version, sentence: said.sentence });
        return;
      }
      try {
        secret = await this.#seal(before, said.renewed);
      } catch (error) {
        line(`what ${scope} was renewed with could not be kept: ${error instanceof Error ? error.message : "error"}`);
        said = await process.unkept();
      }
    }
    // Whatever becomes of this row, it is kept, and its process is to know.
    await recorded
      .finish({ kind: "credential.renewed", version: secret.version })
      .catch((error: unknown) => line(error instanceof Error ? error.message : "error"));
    this.#refused.delete(scope);
    const verdict = await process.kept(secret);
    if (verdict === null) return;
    if (verdict.works) await credentials.worked(secret, verdict.account);
    else line(`${scope} was renewed and not seen to work yet: ${verdict.sentence}`);
  }

  /** Seals it as a version beside the one of before, with what was not renewed and all that is known of it. @throws {VaultError}, {RangeError}. */
  async #seal(before: Credential, renewed: readonly NamedBytes[]): Promise<SecretOf> {
    const { keeper, now } = this.#parts;
    const { scope, version, account, hosts, header, expires, rotationDue } = before;
    const { vault } = keeper;
    const fresh = renewed.map(({ name, bytes }) => ({ name, secret: Secret.take(bytes) }));
    const names = new Set(fresh.map(({ name }) => name));
    const secrets = [...fresh];
    try {
      for (const name of before.names)
        if (!names.has(name)) secrets.push({ name, secret: vault.take(scope, name, version) });
      const created = new Date(now()).toISOString();
      const metadata = {
        created,
        checked: null,
        account,
        hosts,
        expires,
        rotationDue,
        ...(header === undefined ? {} : { header }),
      };
      await vault.change({ change: "add", scope, secrets, metadata }, keeper.recorder(null));
    } finally {
      for (const { secret } of secrets) secret[Symbol.dispose]();
    }
    const sealed = secretOf(vault, scope);
    if (sealed === null) throw new Error("it was removed meanwhile");
    return sealed;
  }
}

/** @throws {RangeError} unless it is what this channel's platform renews, and a token among it. */
export function refuseOthers(channel: AdapterChannel, renewed: readonly NamedBytes[]): void {
  const known = renewedNames(platformOf(channel));
  const size = renewed.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (size > MAX_RENEWED_BYTES) throw new RangeError(`what was renewed has over ${MAX_RENEWED_BYTES} bytes`);
  const names = renewed.map(({ name }) => name);
  if (!names.every((name) => known.includes(name)) || known[0] === undefined || !names.includes(known[0]))
    throw new RangeError(`${channel} renews ${known.length === 0 ? "nothing" : known.join(", ")}`);
}
