import { contentScope } from "../../vault/credential-change.ts";
import type { StateSealer } from "../../vault/state-seal.ts";
import type { RecordChange, Vault } from "../../vault/vault.ts";

/** What an erasure does to the keys of content. A scope is a session's id, a person's, a pairing's, or `daemon`. Each change is recorded under `cause`. */
export interface ContentKeys {
  /** Destroys the keys of a scope; nothing where there is none: what was sealed under them opens nowhere any more, in this file or in a copy of it. */
  readonly destroyKey: (scope: string, cause: number) => Promise<void>;
  /** Another key, for what stays of a scope and for what comes; the former ones open what they sealed until {@link ContentKeys.forgetKeys}. Nothing where there is none. */
  readonly renewKey: (scope: string, cause: number) => Promise<void>;
  /** Scopes that have a former key too, of this erasure or of one that was not completed. */
  readonly renewing: () => readonly string[];
  /** Destroys all keys of a scope but the newest. */
  readonly forgetKeys: (scope: string, cause: number) => Promise<void>;
  /** What seals the projection of the log, by the newest key of the daemon's content. */
  readonly projectionSeal: () => StateSealer;
}

/** @param recorder records a change of the vault under a row. */
export function contentKeys(vault: () => Vault, recorder: (cause: number) => RecordChange): ContentKeys {
  return {
    destroyKey: async (scope, cause) => {
      if (!vault().hasContentKey(scope)) return;
      await vault().change({ change: "remove", scope: contentScope(scope) }, recorder(cause));
    },
    renewKey: async (scope, cause) => {
      if (!vault().hasContentKey(scope)) return;
      await vault().change({ change: "content-key", session: scope, step: "renew" }, recorder(cause));
    },
    renewing: () => vault().formerContentKeys(),
    forgetKeys: async (scope, cause) => {
      if (!vault().formerContentKeys().includes(scope)) return;
      await vault().change({ change: "content-key", session: scope, step: "forget" }, recorder(cause));
    },
    projectionSeal: () => vault().stateSealer(),
  };
}
