import type { ActionOf } from "../audit/action.ts";
import { scope as scopeField } from "../audit/field.ts";
import type { OpenedBackup } from "./backup.ts";
import { applySteps, type Contents, contentsOf, rootOf, type Step } from "./contents.ts";
import {
  account,
  add,
  type AddedSecret,
  contentScope,
  DAEMON_SCOPE,
  refuse,
  rekey,
  remove,
  type Reworked,
  rollback,
} from "./credential-change.ts";
import { commitment } from "./crypto.ts";
import { deriveKek, recordEpoch } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { keyOf, keyRow, keysOf, newKey, recordRow, recordsOf, reveal, type Unlocked } from "./keyring.ts";
import { decodeOrigin, encodeOrigin, LOG_KEY, LOG_SCOPE, mintOrigin, newSeed } from "./log-key.ts";
import type { Metadata } from "./metadata.ts";
import { sealForRecovery } from "./recovery.ts";
import type { Secret } from "./secret.ts";
import { tagOf } from "./tag.ts";

/** What can be done to a vault. The secrets in it are lent for the planning alone and stay the caller's to dispose of. */
export type Change =
  /** A new version of a scope's credential, under a new key. Older versions stay until one is confirmed by an `account` change. */
  | {
      readonly change: "add";
      readonly scope: string;
      readonly secrets: readonly AddedSecret[];
      readonly metadata: Metadata;
    }
  /** Destroys a scope: its keys and all that is sealed under them. */
  | { readonly change: "remove"; readonly scope: string }
  /** Destroys the newest version, which did not work; the one before takes its place, as a version of its own: a number never means two values. */
  | { readonly change: "rollback"; readonly scope: string }
  /** A new key for one scope: everything in it is sealed anew, and its former keys are destroyed. */
  | { readonly change: "rekey"; readonly scope: string }
  /** A recovery phrase was made: what opens the vault is sealed to its public half from now on, and to no other. */
  | { readonly change: "recovery"; readonly publicKey: Uint8Array }
  /** What a check of the newest version said. With `checked` set it is confirmed, and older versions and their keys are destroyed. */
  | {
      readonly change: "account";
      readonly scope: string;
      readonly checked: string | null;
      readonly account: string | null;
    }
  /** A content key for a session that has none. */
  | { readonly change: "content-key"; readonly session: string; readonly step?: never }
  /** One key more for a session, under which is sealed from now on; or, once everything that stays was sealed anew, the destruction of those before it. */
  | { readonly change: "content-key"; readonly session: string; readonly step: "renew" | "forget" }
  /** A new key to sign the log with (one epoch more); or, once that is in use, the destruction of those before it. */
  | { readonly change: "log-key"; readonly step: "add" | "forget" }
  /** A key for a log that takes the place of this vault's: it has another name, and the keys of the one before are destroyed, so that nobody adds to that. */
  | { readonly change: "log-key"; readonly step: "succeed" }
  /** A new master: everything is wrapped anew. The protector must hold it already (see `moveTo`). */
  | {
      readonly change: "protect";
      readonly protector: "keychain" | "passphrase";
      /** The id it is kept under: one more than the vault's. */
      readonly masterId: number;
      readonly master: Secret;
      readonly wrapping: Uint8Array;
    };

/** What "protect" changes is everything. */
const MASTER_SCOPE = "vault/master";
const RECOVERY_SCOPE = "vault/recovery";

/** A change worked out and not yet made. Commit it or dispose of it. */
export class Plan implements Disposable {
  /** The row to record before the change is committed. */
  readonly row: ActionOf<"vault.changing">;
  readonly next: Contents;
  readonly steps: readonly Step[];
  /** The bytes that the change drops are to be gone from the file. */
  readonly erases: boolean;
  #kek: Secret | null;
  readonly #dropped: () => void;

  constructor(given: Pick<Plan, "row" | "next" | "steps" | "erases">, kek: Secret | null, dropped: () => void) {
    this.row = given.row;
    this.next = given.next;
    this.steps = given.steps;
    this.erases = given.erases;
    this.#kek = kek;
    this.#dropped = dropped;
  }

  /** With a new master: moves out the key-encryption key it derives, which is the caller's to dispose of. */
  takeKek(): Secret | null {
    const kek = this.#kek;
    this.#kek = null;
    return kek;
  }

  [Symbol.dispose](): void {
    this.#kek?.[Symbol.dispose]();
    this.#kek = null;
    this.#dropped();
  }
}

interface Worked extends Reworked {
  readonly head?: Partial<Contents["head"]>;
  readonly kek?: Secret;
}

/** Works a change out. Nothing is written, and `unlocked` stays as it is. @param dropped called when the plan is disposed of. @throws {VaultError}. */
export function planChange(unlocked: Unlocked, change: Change, dropped: () => void): Plan {
  const { contents } = unlocked;
  const worked = work(unlocked, change);
  const head = { ...contents.head, ...worked.head, generation: contents.head.generation + 1 };
  const steps: Step[] = [...worked.steps, { table: "head", row: head }];
  const next = applySteps(contents, steps);
  const row: Plan["row"] = {
    kind: "vault.changing",
    change: change.change,
    scope: worked.scope,
    from: contents.head.generation,
    fromRoot: rootOf(contents),
    to: head.generation,
    toRoot: rootOf(next),
  };
  const erases = change.change === "protect" || change.change === "recovery" || steps.some((step) => "gone" in step);
  return new Plan({ row, next, steps, erases }, worked.kek ?? null, dropped);
}

function work(unlocked: Unlocked, change: Change): Worked {
  switch (change.change) {
    case "add":
      return add(unlocked, change);
    case "remove":
      return remove(unlocked, change.scope);
    case "account":
      return account(unlocked, change);
    case "rollback":
      return rollback(unlocked, change.scope);
    case "rekey":
      return rekey(unlocked, change.scope);
    case "recovery":
      return recovery(unlocked, change.publicKey);
    case "content-key": {
      const scope = contentScope(change.session);
      if (change.step === "forget") return forgetContentKeys(unlocked.contents, scope);
      return change.step === "renew" ? renewContentKey(unlocked, scope) : contentKey(unlocked, scope);
    }
    case "log-key":
      if (change.step === "succeed") return succeedLogKey(unlocked);
      return change.step === "add" ? addLogKey(unlocked, null) : forgetLogKeys(unlocked.contents);
    case "protect":
      break;
  }
  return protect(unlocked, change);
}

function contentKey(unlocked: Unlocked, scope: string): Worked {
  if (!scopeField.admits(scope)) refuse(`${JSON.stringify(scope)} is not a session's scope`);
  if (keysOf(unlocked.contents, scope).length > 0) refuse(`${scope} has a key already`);
  return addContentKey(unlocked, scope);
}

function addContentKey(unlocked: Unlocked, scope: string): Worked {
  const { key, row } = newKey(unlocked, scope);
  key[Symbol.dispose]();
  return { scope, steps: [{ table: "key", row }] };
}

function renewContentKey(unlocked: Unlocked, scope: string): Worked {
  if (keysOf(unlocked.contents, scope).length === 0)
    throw new VaultError("VAULT_NOT_FOUND", `There is no key of ${scope} to take the place of`);
  return addContentKey(unlocked, scope);
}

function forgetContentKeys(contents: Contents, scope: string): Worked {
  const former = keysOf(contents, scope).slice(0, -1);
  if (former.length === 0) throw new VaultError("VAULT_NOT_FOUND", `There is no former key of ${scope}`);
  return { scope, steps: former.map((row): Step => ({ table: "key", row, gone: true })) };
}

/** @param name of a log that begins now; null for the one that the newest key signs. */
function addLogKey(unlocked: Unlocked, name: string | null): Worked {
  const before = recordsOf(unlocked.contents, LOG_SCOPE).at(-1);
  const origin = name ?? (before === undefined ? mintOrigin() : decodeOrigin(before.metadata));
  const { key, row } = newKey(unlocked, LOG_SCOPE);
  using under = key;
  using seed = newSeed();
  const place = {
    scope: LOG_SCOPE,
    name: LOG_KEY,
    version: (before?.version ?? 0) + 1,
    metadata: encodeOrigin(origin),
  };
  const record = recordRow(unlocked, { key: under, epoch: row.epoch }, place, seed);
  return {
    scope: LOG_SCOPE,
    steps: [
      { table: "key", row },
      { table: "record", row: record },
    ],
  };
}

function succeedLogKey(unlocked: Unlocked): Worked {
  const added = addLogKey(unlocked, mintOrigin());
  return {
    scope: LOG_SCOPE,
    steps: [...added.steps, ...forgetLogKeys(applySteps(unlocked.contents, added.steps)).steps],
  };
}

function forgetLogKeys(contents: Contents): Worked {
  const old = recordsOf(contents, LOG_SCOPE).slice(0, -1);
  if (old.length === 0) throw new VaultError("VAULT_NOT_FOUND", "There is no former key of the log");
  const epochs = new Set(old.map((row) => recordEpoch(row.sealed)));
  return {
    scope: LOG_SCOPE,
    steps: [
      ...old.map((row): Step => ({ table: "record", row, gone: true })),
      ...keysOf(contents, LOG_SCOPE)
        .filter((row) => epochs.has(row.epoch))
        .map((row): Step => ({ table: "key", row, gone: true })),
    ],
  };
}

function recovery({ contents, kek }: Unlocked, publicKey: Uint8Array): Worked {
  const { id, masterId, protector } = contents.head;
  if (protector === "none")
    throw new VaultError(
      "VAULT_UNPROTECTED",
      "A recovery phrase opens what is protected, and this vault is not yet: choose the keychain or a passphrase first",
    );
  const row = sealForRecovery(publicKey, { vault: id, masterId }, kek);
  return { scope: RECOVERY_SCOPE, steps: [{ table: "recovery", row }] };
}

function protect(
  unlocked: Unlocked,
  { protector, masterId, master, wrapping }: Change & { change: "protect" },
): Worked {
  const { contents } = unlocked;
  if (masterId !== contents.head.masterId + 1)
    refuse(`The vault's next master is ${contents.head.masterId + 1}, not ${masterId}`);
  const kek = deriveKek(master, contents.head.id, masterId);
  const head = { masterId, protector, wrapping: Uint8Array.from(wrapping), commitment: commitment(kek) };
  const under: Unlocked = { kek, contents: { ...contents, head: { ...contents.head, ...head } } };
  try {
    const steps = [...contents.keys.values()].map((row): Step => {
      using key = keyOf(unlocked, row.scope, row.epoch);
      return { table: "key", row: keyRow(under, row.scope, row.epoch, key) };
    });
    // Whoever has the phrase opens what comes too, and nobody is asked for it.
    const again = contents.recovery;
    if (again !== null) {
      const place = { vault: contents.head.id, masterId };
      steps.push({ table: "recovery", row: sealForRecovery(again.publicKey, place, kek) });
    }
    return { scope: MASTER_SCOPE, steps, head, kek };
  } catch (error) {
    kek[Symbol.dispose]();
    throw error;
  }
}

/** What a new vault takes over from a backup, wrapped and sealed anew for its own place: a backup may be opened beside the vault that it is of. */
function restored(unlocked: Unlocked, { unlocked: source, recovery: publicKey }: OpenedBackup): Step[] {
  const { head } = unlocked.contents;
  const keys = [...source.contents.keys.values()].filter((row) => row.scope !== LOG_SCOPE);
  const records = [...source.contents.records.values()].filter((row) => row.scope !== LOG_SCOPE);
  const place = { vault: head.id, masterId: head.masterId };
  return [
    ...(publicKey === null
      ? []
      : [{ table: "recovery", row: sealForRecovery(publicKey, place, unlocked.kek) } satisfies Step]),
    ...keys.map((row): Step => {
      using key = keyOf(source, row.scope, row.epoch);
      return { table: "key", row: keyRow(unlocked, row.scope, row.epoch, key) };
    }),
    ...records.map((row): Step => {
      const epoch = recordEpoch(row.sealed);
      using key = keyOf(source, row.scope, epoch);
      using secret = reveal(source, row);
      return { table: "record", row: recordRow(unlocked, { key, epoch }, row, secret) };
    }),
  ];
}

/** The first contents, and their tag: generation 0, before the log's first row; a key to sign the log and one for the daemon's own content. */
export function firstContents(
  head: Omit<Contents["head"], "generation" | "commitment">,
  master: Secret,
  from: OpenedBackup | null,
): { contents: Contents; tag: Uint8Array } {
  using kek = deriveKek(master, head.id, head.masterId);
  const empty = contentsOf({ ...head, generation: 0, commitment: commitment(kek) }, [], []);
  const unlocked = { kek, contents: empty };
  const kept = from === null ? [] : restored(unlocked, from);
  const daemon = kept.some(({ table, row }) => table === "key" && row.scope === DAEMON_SCOPE)
    ? []
    : contentKey(unlocked, DAEMON_SCOPE).steps;
  const steps = [...addLogKey(unlocked, null).steps, ...daemon, ...kept];
  const contents = applySteps(empty, steps);
  return { contents, tag: tagOf(kek, contents) };
}
