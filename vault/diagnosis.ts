import { type Contents, keyName, keysByScope, type KeyRow, type RecordRow, recordsByScope } from "./contents.ts";
import { openRecord, recordEpoch, unwrapKey } from "./envelope.ts";
import { VaultError, type VaultErrorCode } from "./error.ts";
import type { Secret } from "./secret.ts";

/** Of a vault that is not as its own key left it: what was done to it, where the key can tell. */

/** A file of an attacker's making may have each of its records fail, and each be tried at every place: so many tries, and it is said without them. */
const MAX_TRIES = 100_000;

interface Finding {
  readonly code: VaultErrorCode;
  readonly what: string;
}

/** @returns an error of its own code for what was done, or null where every key and record opens at its place: then a row went that nothing else needs, or
 *  what is not sealed was changed. */
export function diagnose(contents: Contents, kek: Secret): VaultError | null {
  const look = new Look(contents, kek);
  const found = look.keys() ?? look.records();
  return found === null ? null : new VaultError(found.code, `The vault is not as its own key left it: ${found.what}`);
}

class Look {
  readonly #contents: Contents;
  readonly #kek: Secret;
  #tries = 0;

  constructor(contents: Contents, kek: Secret) {
    this.#contents = contents;
    this.#kek = kek;
  }

  /** Looks for the first wrapped key that does not open where it lies. */
  keys(): Finding | null {
    for (const row of this.#contents.keys.values()) {
      if (this.#unwraps(row, row)) continue;
      const { scope, epoch } = row;
      // With its own commitment, or with that of the row whose place it is tried at.
      const from = [...this.#contents.keys.values()].find(
        (other) =>
          other !== row &&
          (this.#unwraps({ ...row, commitment: other.commitment }, other) || this.#unwraps(row, other)),
      );
      if (from !== undefined && from.scope !== scope)
        return {
          code: "VAULT_KEYS_SWAPPED",
          what: `the key of ${scope} lies at ${from.scope}, or the other way round`,
        };
      if (from !== undefined || this.#earlier(row))
        return { code: "VAULT_EPOCH_CHANGED", what: `the key of ${scope}, epoch ${epoch}, is that of another epoch` };
      return { code: "VAULT_KEY_CHANGED", what: `the key of ${scope}, epoch ${epoch}, opens nowhere` };
    }
    return null;
  }

  /** The key of another epoch of its scope, whose row is gone. */
  #earlier(row: KeyRow): boolean {
    const most = Math.max(...(keysByScope(this.#contents.keys).get(row.scope) ?? []).map(({ epoch }) => epoch));
    return Array.from({ length: most + 3 }, (_, epoch) => epoch).some((epoch) => this.#unwraps(row, { ...row, epoch }));
  }

  /** Looks for the first record that does not open where it lies. */
  records(): Finding | null {
    for (const row of this.#contents.records.values()) {
      const epoch = recordEpoch(row.sealed);
      const key = this.#contents.keys.get(keyName({ scope: row.scope, epoch }));
      if (key !== undefined && this.#opens(row, key, row)) continue;
      const place = `${row.scope}/${row.name} version ${row.version}`;
      if (key !== undefined) {
        const other = this.#within(row, key);
        if (other !== null) return other(place);
      }
      const scope = this.#elsewhere(row, epoch);
      if (scope !== null) return { code: "VAULT_SCOPE_CHANGED", what: `what lies at ${place} was sealed for ${scope}` };
      if (key === undefined)
        return { code: "VAULT_EPOCH_CHANGED", what: `the key of epoch ${epoch} that ${place} is sealed under is gone` };
      return {
        code: "VAULT_RECORD_CHANGED",
        what: `${place} opens nowhere: its bytes or what is known of it were changed`,
      };
    }
    return null;
  }

  /** Another place of the same scope where a record opens. */
  #within(row: RecordRow, key: KeyRow): ((place: string) => Finding) | null {
    const mates = recordsByScope(this.#contents.records).get(row.scope) ?? [];
    const most = Math.max(...mates.map(({ version }) => version));
    for (const { metadata } of [row, ...mates]) {
      for (let version = 0; version <= most + 1; version++) {
        for (const name of new Set([row.name, ...mates.map((mate) => mate.name), ...this.#names()])) {
          if (!this.#opens({ ...row, name, version, metadata }, key, row)) continue;
          const taken = mates.some((mate) => mate !== row && mate.name === name && mate.version === version);
          if (name !== row.name)
            return (place) =>
              taken
                ? { code: "VAULT_RECORDS_SWAPPED", what: `what lies at ${place} was sealed for the name ${name}` }
                : { code: "VAULT_NAME_CHANGED", what: `what lies at ${place} was sealed for the name ${name}` };
          return (place) => ({
            code: "VAULT_REPLAYED",
            what: `what lies at ${place} was sealed as version ${version}`,
          });
        }
      }
    }
    return null;
  }

  /** Names that records have anywhere: a few, however many records there are. */
  #names(): Set<string> {
    return new Set([...this.#contents.records.values()].map(({ name }) => name));
  }

  /** Another scope, with whose key a record opens. */
  #elsewhere(row: RecordRow, epoch: number): string | null {
    for (const [scope, keys] of keysByScope(this.#contents.keys)) {
      const key = keys.find((one) => one.epoch === epoch);
      if (key === undefined || scope === row.scope) continue;
      for (let version = 0; version <= row.version; version++)
        if (this.#opens({ ...row, scope, version }, key, row)) return scope;
    }
    return null;
  }

  #unwraps({ wrapped, commitment }: KeyRow, at: Pick<KeyRow, "scope" | "epoch">): boolean {
    using key = this.#unwrapped({ wrapped, commitment }, at);
    return key !== null;
  }

  #unwrapped(
    { wrapped, commitment }: Pick<KeyRow, "wrapped" | "commitment">,
    { scope, epoch }: Pick<KeyRow, "scope" | "epoch">,
  ): Secret | null {
    if (++this.#tries > MAX_TRIES) return null;
    const { id: vault, masterId } = this.#contents.head;
    return orNull(() => unwrapKey(this.#kek, { vault, masterId, scope, epoch }, wrapped, commitment));
  }

  #opens(place: Omit<RecordRow, "sealed">, keyRow: KeyRow, { sealed }: RecordRow): boolean {
    using key = this.#unwrapped(keyRow, keyRow);
    if (key === null) return false;
    const { scope, name, version, metadata } = place;
    using secret = orNull(() =>
      openRecord(key, { vault: this.#contents.head.id, scope, name, version, metadata }, sealed),
    );
    return secret !== null;
  }
}

function orNull(open: () => Secret): Secret | null {
  try {
    return open();
  } catch (error) {
    if (error instanceof VaultError) return null;
    throw error;
  }
}
