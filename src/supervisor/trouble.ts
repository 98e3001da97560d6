import { fullText } from "./disk.ts";
import { RESTORE } from "./findings.ts";

/** Why a start cannot go on that is no fault of ours, in a sentence, and the one thing that mends it. */
export interface Trouble {
  readonly sentence: string;
  readonly hint: string | null;
}

const MAKE_ROOM = "make at least 20 MB free on the disk of the data directory (WIRKEN_HOME), then start again";
const MAKE_WRITABLE =
  "mount the file system of the data directory (WIRKEN_HOME) for writing; wirken audit verify works without";

const LOST_KEY =
  "open the vault with its recovery phrase: wirken vault recovery use; without any, begin an empty one: wirken vault reset";

const SAME_BACKUP = `restore vault.db and audit.db from the same backup; where there is none: ${RESTORE}`;
/** What was done to a vault behind its key's back. */
const TAMPERED = [
  "VAULT_TRUNCATED",
  "VAULT_RECORDS_SWAPPED",
  "VAULT_NAME_CHANGED",
  "VAULT_REPLAYED",
  "VAULT_SCOPE_CHANGED",
  "VAULT_EPOCH_CHANGED",
  "VAULT_KEYS_SWAPPED",
  "VAULT_KEY_CHANGED",
  "VAULT_RECORD_CHANGED",
  "VAULT_ROWS_CHANGED",
  "VAULT_TAG_GONE",
] as const;

const HINTS: Readonly<Record<string, string>> = {
  AUDIT_UNWRITABLE: MAKE_ROOM,
  AUDIT_BROKEN: `wirken audit verify says more; if this is an older copy, put the newer one back, else begin a new log that names this one: ${RESTORE}`,
  AUDIT_SECOND_WRITER: `wirken audit verify says more; then: ${RESTORE}`,
  AUDIT_WRONG_KEY: SAME_BACKUP,
  ...Object.fromEntries(TAMPERED.map((code) => [code, SAME_BACKUP])),
  VAULT_NOT_FOUND: SAME_BACKUP,
  VAULT_ROLLED_BACK: `if you restored a backup, restore vault.db and audit.db from the same one; where there is none: ${RESTORE}`,
  VAULT_EDITED: SAME_BACKUP,
  VAULT_ABSENT: "restore the whole data directory from one backup",
  VAULT_KEY_MISSING: `restore the keychain; or ${LOST_KEY}`,
  VAULT_WRONG_KEY: `restore the keychain's entry; or ${LOST_KEY}`,
  VAULT_WRONG_PHRASE: "look at the paper again; after a second phrase was made, the first opens nothing",
  VAULT_NO_RECOVERY:
    "restore the keychain, or the whole data directory from one backup; where there is neither: wirken vault reset",
};

/** @param home the data directory, of which is said where there is no room and what takes it; null: not looked at.
 *  @returns null for an error that is a bug. */
export function troubleOf(error: unknown, home: string | null = null): Trouble | null {
  const trouble = diskTrouble(error) ?? otherTrouble(error);
  if (trouble === null || trouble.hint !== MAKE_ROOM || home === null) return trouble;
  const { what, largest } = fullText(home);
  return { ...trouble, hint: [MAKE_ROOM, what, ...(largest === "" ? [] : [largest])].join("; ") };
}

function otherTrouble(error: unknown): Trouble | null {
  const code = codeOf(error);
  return error instanceof Error && /^(AUDIT|VAULT|STATE)_/.test(code)
    ? { sentence: error.message, hint: HINTS[code] ?? null }
    : null;
}

/** A disk that takes nothing is no bug of ours: what the system or SQLite said of it, wherever in the causes. */
function diskTrouble(error: unknown): Trouble | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = codeOf(cause);
    if (/^(ENOSPC|EDQUOT|EFBIG|SQLITE_FULL)$/.test(code)) return { sentence: "the disk is full", hint: MAKE_ROOM };
    if (/^(EROFS|SQLITE_READONLY|SQLITE_CANTOPEN)/.test(code))
      return {
        sentence: "the data directory cannot be written: it, or a file in it, is read-only",
        hint: MAKE_WRITABLE,
      };
    if (/^(EIO|SQLITE_IOERR)/.test(code)) return { sentence: "the disk cannot be written", hint: MAKE_ROOM };
  }
  return null;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
