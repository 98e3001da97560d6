/** Why the vault did not do what it was asked. */
export type VaultErrorCode =
  /** There is no vault at this path. */
  | "VAULT_ABSENT"
  /** There is one already. */
  | "VAULT_EXISTS"
  /** The file was written by a later version. */
  | "VAULT_NEWER"
  /** The file, or something in it, is not what this vault wrote. */
  | "VAULT_DAMAGED"
  /** A sealed part of it is shorter or longer than any is. */
  | "VAULT_TRUNCATED"
  /** What was done to a vault that is not as its own key left it, where the key can tell: sealed bytes of two names were exchanged; */
  | "VAULT_RECORDS_SWAPPED"
  /** a record lies under another name; */
  | "VAULT_NAME_CHANGED"
  /** an old version lies where a newer one was; */
  | "VAULT_REPLAYED"
  /** a record lies under another scope, whose key is not its own; */
  | "VAULT_SCOPE_CHANGED"
  /** a key is that of another epoch, or the one that a record was sealed under is gone; */
  | "VAULT_EPOCH_CHANGED"
  /** the wrapped keys of two scopes were exchanged; */
  | "VAULT_KEYS_SWAPPED"
  /** a wrapped key, or its commitment, opens nowhere; */
  | "VAULT_KEY_CHANGED"
  /** a record, or what is known of it, opens nowhere; */
  | "VAULT_RECORD_CHANGED"
  /** everything opens, and a row is gone or was added. */
  | "VAULT_ROWS_CHANGED"
  /** The tag over the vault was removed. */
  | "VAULT_TAG_GONE"
  /** The vault is neither at the generation before nor at the one after its newest change on the log. */
  | "VAULT_ROLLED_BACK"
  /** It is at the right generation, and its content is not what the log knows. */
  | "VAULT_EDITED"
  /** The master key is not this vault's. */
  | "VAULT_WRONG_KEY"
  | "VAULT_WRONG_PASSPHRASE"
  /** The words are no recovery phrase, or another vault's. */
  | "VAULT_WRONG_PHRASE"
  /** No recovery phrase was made for this vault. */
  | "VAULT_NO_RECOVERY"
  | "VAULT_WEAK_PASSPHRASE"
  /** A passphrase is needed and nobody was there to type it. */
  | "VAULT_PASSPHRASE_NEEDED"
  /** The parameters of the passphrase's derivation are outside what this version accepts. */
  | "VAULT_WEAKENED"
  /** The keychain is open and does not hold the key, or the file of the provisional key is gone. */
  | "VAULT_KEY_MISSING"
  /** The file of the provisional key is open to others, or is no plain file. */
  | "VAULT_UNSAFE_FILE"
  | "VAULT_KEYCHAIN_LOCKED"
  | "VAULT_KEYCHAIN_ABSENT"
  | "VAULT_KEYCHAIN_UNREACHABLE"
  /** No credential is kept while the vault has no protector. */
  | "VAULT_UNPROTECTED"
  /** There is no such scope, name or version. */
  | "VAULT_NOT_FOUND"
  /** A change is not of a form the vault accepts: a name, a size, a time. */
  | "VAULT_REFUSED"
  /** Another change is planned and neither committed nor dropped. */
  | "VAULT_BUSY"
  /** The plan, the recorded row and the vault do not belong together. */
  | "VAULT_STALE_PLAN"
  /** The file cannot be written. */
  | "VAULT_UNWRITABLE"
  /** Its owner locked it: credentials and new keys wait for `wirken vault unlock`. */
  | "VAULT_LOCKED"
  /** The credential is past the time that its owner set. */
  | "VAULT_EXPIRED"
  | "VAULT_CLOSED";

export class VaultError extends Error {
  override readonly name = "VaultError";
  readonly code: VaultErrorCode;
  constructor(code: VaultErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
