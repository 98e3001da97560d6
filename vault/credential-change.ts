import { scope as scopeField } from "../audit/field.ts";
import { type RecordRow, recordName, type Step } from "./contents.ts";
import { recordEpoch } from "./envelope.ts";
import { VaultError } from "./error.ts";
import { keysOf, newKey, recordRow, recordsOf, reveal, type Unlocked } from "./keyring.ts";
import { LOG_SCOPE } from "./log-key.ts";
import { decodeMetadata, encodeMetadata, type Metadata } from "./metadata.ts";
import type { Secret } from "./secret.ts";

/** What can be done to credentials: each works out the rows that come and go, and writes nothing. */

export interface AddedSecret {
  readonly name: string;
  readonly secret: Secret;
}

/** The scope that changes, and how. */
export interface Reworked {
  readonly scope: string;
  readonly steps: readonly Step[];
}

const SECRET_NAME = /^[a-z0-9-]{1,64}$/;
/** A service account's JSON is 2 to 3 KiB. */
const MAX_SECRET_BYTES = 65_536;
const MAX_SECRETS = 16;
/** Secrets in one vault, those of former versions included, and the log's keys aside. */
export const MAX_RECORDS = 10_000;

/** The vault's scope of a session's content key, or of the daemon's own. */
export function contentScope(session: string): string {
  return `audit/content/${session}`;
}

export const DAEMON_SCOPE: string = contentScope("daemon");

export function refuse(why: string): never {
  throw new VaultError("VAULT_REFUSED", why);
}

/** A new version. What is confirmed stays beside it until it is confirmed itself; an unconfirmed version between the two goes. */
export function add(
  unlocked: Unlocked,
  given: { readonly scope: string; readonly secrets: readonly AddedSecret[]; readonly metadata: Metadata },
): Reworked {
  const { scope, secrets, metadata } = given;
  if (unlocked.contents.head.protector === "none")
    throw new VaultError(
      "VAULT_UNPROTECTED",
      "No credential is kept in a vault without a protector: choose the keychain or a passphrase first",
    );
  if (!scopeField.admits(scope) || scope.startsWith("audit/") || scope.startsWith("vault/"))
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
  const before = recordsOf(unlocked.contents, scope);
  const version = (before.at(-1)?.version ?? 0) + 1;
  const fallback = fallbackAmong(before);
  const dropped = before.filter((row) => row.version !== fallback);
  const held = unlocked.contents.records.size - recordsOf(unlocked.contents, LOG_SCOPE).length;
  if (held - dropped.length + secrets.length > MAX_RECORDS)
    refuse(`The vault holds ${held} secrets, and ${MAX_RECORDS} at most: remove some first`);
  const { key, row } = newKey(unlocked, scope);
  using under = key;
  const records = secrets.map(({ name, secret }) =>
    recordRow(unlocked, { key: under, epoch: row.epoch }, { scope, name, version, metadata: sealedIn }, secret),
  );
  return {
    scope,
    steps: [
      { table: "key", row },
      ...records.map((record): Step => ({ table: "record", row: record })),
      ...gone(unlocked, scope, dropped),
    ],
  };
}

/** Which version to go back to: the newest that is confirmed, or the newest of all. */
function fallbackAmong(rows: readonly RecordRow[]): number | null {
  const confirmed = rows.findLast((row) => decodeMetadata(row.metadata).checked !== null);
  return (confirmed ?? rows.at(-1))?.version ?? null;
}

/** Drops records, and the keys that nothing else of their scope is sealed under. */
function gone({ contents }: Unlocked, scope: string, dropped: readonly RecordRow[]): Step[] {
  const kept = recordsOf(contents, scope).filter((row) => !dropped.includes(row));
  const used = new Set(kept.map((row) => recordEpoch(row.sealed)));
  const epochs = new Set(dropped.map((row) => recordEpoch(row.sealed)).filter((epoch) => !used.has(epoch)));
  return [
    ...dropped.map((row): Step => ({ table: "record", row, gone: true })),
    ...keysOf(contents, scope)
      .filter((row) => epochs.has(row.epoch))
      .map((row): Step => ({ table: "key", row, gone: true })),
  ];
}

export function remove({ contents }: Unlocked, scope: string): Reworked {
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
export function account(
  unlocked: Unlocked,
  {
    scope,
    checked,
    account: name,
  }: { readonly scope: string; readonly checked: string | null; readonly account: string | null },
): Reworked {
  const all = credentialRecords(unlocked, scope);
  const version = all.at(-1)?.version;
  const newest = all.filter((row) => row.version === version);
  const kept = checked === null ? all.filter((row) => row.version !== version) : [];
  return anew(unlocked, scope, {
    rows: newest,
    kept,
    version: null,
    metadata: (before) => ({ ...before, checked, account: name }),
  });
}

export function rollback(unlocked: Unlocked, scope: string): Reworked {
  const all = credentialRecords(unlocked, scope);
  const newest = all.at(-1)?.version ?? 0;
  const before = all.findLast((row) => row.version !== newest)?.version;
  if (before === undefined)
    throw new VaultError("VAULT_NOT_FOUND", `There is no version of ${scope} before version ${newest}`);
  return anew(unlocked, scope, {
    rows: all.filter((row) => row.version === before),
    kept: [],
    version: newest + 1,
    metadata: (same) => same,
  });
}

export function rekey(unlocked: Unlocked, scope: string): Reworked {
  const rows = credentialRecords(unlocked, scope);
  return anew(unlocked, scope, { rows, kept: [], version: null, metadata: (same) => same });
}

function credentialRecords({ contents }: Unlocked, scope: string): RecordRow[] {
  const all = scope.startsWith("audit/") ? [] : recordsOf(contents, scope);
  if (all.length === 0) throw new VaultError("VAULT_NOT_FOUND", `There is no credential at ${scope}`);
  return all;
}

/** Seals `rows` anew under a new key, leaves `kept` as they are, and drops whatever else the scope has, keys included.
 *  @param to `version`: the number that the rows get; null: each keeps its own. */
function anew(
  unlocked: Unlocked,
  scope: string,
  to: {
    readonly rows: readonly RecordRow[];
    readonly kept: readonly RecordRow[];
    readonly version: number | null;
    readonly metadata: (before: Metadata) => Metadata;
  },
): Reworked {
  const { key, row: keyAdded } = newKey(unlocked, scope);
  using under = key;
  const sealed = to.rows.map((row) => {
    using secret = reveal(unlocked, row);
    const metadata = encodeMetadata(to.metadata(decodeMetadata(row.metadata)));
    const place = { scope, name: row.name, version: to.version ?? row.version, metadata };
    return recordRow(unlocked, { key: under, epoch: keyAdded.epoch }, place, secret);
  });
  const places = new Set([...sealed, ...to.kept].map(recordName));
  const used = new Set(to.kept.map((row) => recordEpoch(row.sealed)));
  return {
    scope,
    steps: [
      { table: "key", row: keyAdded },
      ...sealed.map((row): Step => ({ table: "record", row })),
      ...recordsOf(unlocked.contents, scope)
        .filter((row) => !places.has(recordName(row)))
        .map((row): Step => ({ table: "record", row, gone: true })),
      ...keysOf(unlocked.contents, scope)
        .filter((row) => !used.has(row.epoch))
        .map((row): Step => ({ table: "key", row, gone: true })),
    ],
  };
}
