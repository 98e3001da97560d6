import type { ActionOf } from "../audit/action.ts";
import { scope as scopeField } from "../audit/field.ts";
import { applySteps, type Contents, contentsOf, rootOf, type Step } from "./contents.ts";
import { commitment } from "./crypto.ts";
import { deriveKek, recordEpoch } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { keyOf, keyRow, keysOf, newKey, recordRow, recordsOf, reveal, type Unlocked } from "./keyring.ts";
import { decodeOrigin, encodeOrigin, LOG_KEY, LOG_SCOPE, mintOrigin, newSeed } from "./log-key.ts";
import { decodeMetadata, encodeMetadata, type Metadata } from "./metadata.ts";
import type { Secret } from "./secret.ts";

/** What can be done to a vault. The secrets in it are lent for the planning alone and stay the caller's to dispose of. */
export type Change =
  /** A new version of a scope's credential, under a new key. Older versions stay until one is confirmed by an `account` change. */
  | {
      readonly change: "add";
      readonly scope: string;
      readonly secrets: readonly { readonly name: string; readonly secret: Secret }[];
      readonly metadata: Metadata;
    }
  /** Destroys a scope: its keys and all that is sealed under them. */
  | { readonly change: "remove"; readonly scope: string }
  /** What a check of the newest version said. With `checked` set it is confirmed, and older versions and their keys are destroyed. */
  | {
      readonly change: "account";
      readonly scope: string;
      readonly checked: string | null;
      readonly account: string | null;
    }
  /** A content key for a session that has none. */
  | { readonly change: "content-key"; readonly session: string }
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
const DAEMON_SCOPE = contentScope("daemon");
const SECRET_NAME = /^[a-z0-9-]{1,64}$/;
/** A service account's JSON is 2 to 3 KiB. */
const MAX_SECRET_BYTES = 65_536;
const MAX_SECRETS = 16;

/** The vault's scope of a session's content key, or of the daemon's own. */
export function contentScope(session: string): string {
  return `audit/content/${session}`;
}

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

interface Worked {
  readonly scope: string;
  readonly steps: readonly Step[];
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
  const erases = change.change === "protect" || steps.some((step) => "gone" in step);
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
    case "content-key":
      return contentKey(unlocked, contentScope(change.session));
    case "log-key":
      if (change.step === "succeed") return succeedLogKey(unlocked);
      return change.step === "add" ? addLogKey(unlocked, null) : forgetLogKeys(unlocked.contents);
    case "protect":
      break;
  }
  return protect(unlocked, change);
}

function refuse(why: string): never {
  throw new VaultError("VAULT_REFUSED", why);
}

function add(unlocked: Unlocked, { scope, secrets, metadata }: Change & { change: "add" }): Worked {
  if (unlocked.contents.head.protector === "none")
    throw new VaultError(
      "VAULT_UNPROTECTED",
      "No credential is kept in a vault without a protector: choose the keychain or a passphrase first",
    );
  if (!scopeField.admits(scope) || scope.startsWith("audit/") || scope === MASTER_SCOPE)
    refuse(`${JSON.stringify(scope)} is not a credential's scope, such as channel/slack`);
  if (
    secrets.length === 0 ||
    secrets.length > MAX_SECRETS ||
    new Set(secrets.map(({ name }) => name)).size !== secrets.length
  )
    refuse(`A credential has 1 to ${MAX_SECRETS} secrets, each with a name of its own`);
  for (const { name, secret } of secrets) {
    if (!SECRET_NAME.test(name)) refuse(`${JSON.stringify(name)} is not a secret's name: use a-z, 0-9 and -`);
    const length = secret.use((bytes) => bytes.length);
    if (length === 0 || length > MAX_SECRET_BYTES)
      refuse(`${name} has ${length} bytes; a secret has 1 to ${MAX_SECRET_BYTES}`);
  }
  const sealedIn = encodeMetadata(metadata);
  const version = (recordsOf(unlocked.contents, scope).at(-1)?.version ?? 0) + 1;
  const { key, row } = newKey(unlocked, scope);
  using under = key;
  const records = secrets.map(({ name, secret }) =>
    recordRow(unlocked, { key: under, epoch: row.epoch }, { scope, name, version, metadata: sealedIn }, secret),
  );
  return {
    scope,
    steps: [{ table: "key", row }, ...records.map((record): Step => ({ table: "record", row: record }))],
  };
}

function remove({ contents }: Unlocked, scope: string): Worked {
  if (scope === LOG_SCOPE || scope === DAEMON_SCOPE) refuse(`${scope} is part of the log and stays`);
  const keys = keysOf(contents, scope);
  if (keys.length === 0) throw new VaultError("VAULT_NOT_FOUND", `There is nothing at ${scope}`);
  return {
    scope,
    steps: [
      ...recordsOf(contents, scope).map((row): Step => ({ table: "record", row, gone: true })),
      ...keys.map((row): Step => ({ table: "key", row, gone: true })),
    ],
  };
}

/** The newest version is sealed anew under a new key, so that its former metadata cannot be put back: the key it opened under is gone. */
function account(unlocked: Unlocked, { scope, checked, account: name }: Change & { change: "account" }): Worked {
  const all = scope.startsWith("audit/") ? [] : recordsOf(unlocked.contents, scope);
  const version = all.at(-1)?.version;
  if (version === undefined) throw new VaultError("VAULT_NOT_FOUND", `There is no credential at ${scope}`);
  const newest = all.filter((row) => row.version === version);
  const kept = checked === null ? all.filter((row) => row.version !== version) : [];
  const used = new Set(kept.map((row) => recordEpoch(row.sealed)));
  const { key, row: keyAdded } = newKey(unlocked, scope);
  using under = key;
  const anew = newest.map((row): Step => {
    using secret = reveal(unlocked, row);
    const metadata = encodeMetadata({ ...decodeMetadata(row.metadata), checked, account: name });
    const place = { scope, name: row.name, version, metadata };
    return { table: "record", row: recordRow(unlocked, { key: under, epoch: keyAdded.epoch }, place, secret) };
  });
  return {
    scope,
    steps: [
      { table: "key", row: keyAdded },
      ...anew,
      ...all
        .filter((row) => row.version !== version && !kept.includes(row))
        .map((row): Step => ({ table: "record", row, gone: true })),
      ...keysOf(unlocked.contents, scope)
        .filter((row) => !used.has(row.epoch))
        .map((row): Step => ({ table: "key", row, gone: true })),
    ],
  };
}

function contentKey(unlocked: Unlocked, scope: string): Worked {
  if (!scopeField.admits(scope)) refuse(`${JSON.stringify(scope)} is not a session's scope`);
  if (keysOf(unlocked.contents, scope).length > 0) refuse(`${scope} has a key already`);
  const { key, row } = newKey(unlocked, scope);
  key[Symbol.dispose]();
  return { scope, steps: [{ table: "key", row }] };
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
    return { scope: MASTER_SCOPE, steps, head, kek };
  } catch (error) {
    kek[Symbol.dispose]();
    throw error;
  }
}

/** The first contents: generation 0, before the log's first row; a key to sign the log and one for the daemon's own content. */
export function firstContents(head: Omit<Contents["head"], "generation" | "commitment">, master: Secret): Contents {
  using kek = deriveKek(master, head.id, head.masterId);
  const empty = contentsOf({ ...head, generation: 0, commitment: commitment(kek) }, [], []);
  const unlocked = { kek, contents: empty };
  return applySteps(empty, [...addLogKey(unlocked, null).steps, ...contentKey(unlocked, DAEMON_SCOPE).steps]);
}
