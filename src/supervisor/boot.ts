import { existsSync } from "node:fs";
import { type AuditLog, BootLog, type CommittedRow, type LogEvents } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import { VaultError } from "../../vault/error.ts";
import { LockedVault, type NewestChange } from "../../vault/locked-vault.ts";
import { fetchMaster, type Keepers, type NewProtector } from "../../vault/protector.ts";
import type { Secret } from "../../vault/secret.ts";
import { Vault } from "../../vault/vault.ts";
import type { Home } from "../config/home.ts";
import { BUILD, VERSION } from "../ipc/build.ts";
import type { OpenFinding } from "./findings.ts";
import type { KeychainState } from "./vault-keeper.ts";

/** The log and the vault, open and agreeing with each other. */
export interface Booted {
  readonly log: AuditLog;
  readonly vault: Vault;
  /** The `daemon.starting` row. */
  readonly starting: number;
  /** What is wrong with the record: nothing may run before the owner has looked. */
  readonly findings: readonly OpenFinding[];
}

export interface BootParts {
  readonly home: Home;
  readonly keepers: Keepers;
  readonly probe: () => Promise<KeychainState>;
  /** What the owner's recovery phrase says, where its master is lost: then nothing else opens the vault. */
  readonly recovery?: Secret | null;
  /** A passphrase given in advance (file, environment, prompt at the start), or null. */
  readonly passphrase: () => Promise<Secret | null>;
  /** The vault cannot be opened now: resolves when it is worth trying again, with the passphrase when one was typed. */
  readonly locked: (error: VaultError) => Promise<Secret | null>;
  readonly readPin: (vaultId: string) => Promise<PinRead>;
  /** Bytes that are free on a disk that is full, for a call that makes room there; null otherwise. */
  readonly makesRoomIn: number | null;
  readonly events: (vault: Vault, findings: readonly OpenFinding[]) => LogEvents;
}

export type PinRead = { readonly state: "found"; readonly note: string } | { readonly state: "absent" | "unreachable" };

/** Codes of a vault that is only locked: it is tried again, and never replaced by anything weaker. */
const LOCKED = new Set([
  "VAULT_PASSPHRASE_NEEDED",
  "VAULT_WRONG_PASSPHRASE",
  "VAULT_KEYCHAIN_LOCKED",
  "VAULT_KEYCHAIN_UNREACHABLE",
  "VAULT_KEYCHAIN_ABSENT",
]);

/** Opens log and vault in the one order that is safe (evidence.md §6): the log's tail first, which needs no key; then the master; then the
 *  vault against the log's newest change; then the log key. The caller holds the writer's lock. */
export async function boot(parts: BootParts): Promise<Booted> {
  const { home } = parts;
  const bootLog = BootLog.open(home.audit, systemClock, { spendsReserve: parts.makesRoomIn !== null });
  try {
    if (bootLog.genesis === null) return await firstStart(parts, bootLog);
    return await laterStart(parts, bootLog);
  } catch (error) {
    bootLog.close();
    throw error;
  }
}

async function firstStart(parts: BootParts, bootLog: BootLog): Promise<Booted> {
  const { home, keepers } = parts;
  if (!existsSync(home.vault)) {
    const passphrase = await parts.passphrase();
    const protector: NewProtector =
      passphrase !== null
        ? { kind: "passphrase", passphrase }
        : (await parts.probe()) === "works"
          ? { kind: "keychain" }
          : { kind: "none" };
    try {
      await Vault.create(home.vault, protector, keepers);
      const vault = await openVault(parts, null, passphrase);
      return await genesis(parts, bootLog, vault);
    } finally {
      passphrase?.[Symbol.dispose]();
    }
  }
  // A crash fell between the vault's creation and the log's first row.
  return await genesis(parts, bootLog, await openVault(parts, null, null));
}

async function genesis(parts: BootParts, bootLog: BootLog, vault: Vault): Promise<Booted> {
  const log = await bootLog.create(
    vault.signer(),
    vault.sealer(),
    // None is configured that lies out of this user's reach. The pin is promised by the protector.
    { protector: vault.protector, anchors: 0 },
    parts.events(vault, []),
  );
  const { seq } = await log.append({ kind: "daemon.starting", version: VERSION, build: BUILD }, { cause: null });
  return { log, vault, starting: seq, findings: [] };
}

async function laterStart(parts: BootParts, bootLog: BootLog): Promise<Booted> {
  const { seq: starting } = await bootLog.append({ kind: "daemon.starting", version: VERSION, build: BUILD });
  if (!existsSync(parts.home.vault)) {
    throw new VaultError(
      "VAULT_ABSENT",
      `the log is there and its vault ${parts.home.vault} is not: restore both from one backup`,
    );
  }
  const newest = newestChange(bootLog);
  let vault: Vault;
  let pin: Promise<PinRead> | null = null;
  try {
    vault = await openVault(parts, newest, null, {
      // Both are questions to the keychain: side by side.
      opening: (id) => {
        pin = parts.readPin(id);
      },
      // What a keychain said that was locked then is not what it says when it is open.
      waited: () => {
        pin = null;
      },
    });
  } catch (error) {
    if (error instanceof VaultError && (error.code === "VAULT_ROLLED_BACK" || error.code === "VAULT_EDITED"))
      await bootLog.append(
        { kind: "vault.refused", reason: error.code === "VAULT_EDITED" ? "edited" : "rollback" },
        starting,
      );
    throw error;
  }
  const open = new Set(bootLog.openIntents().map(({ seq }) => seq));
  const findings = findingsOf(await (pin ?? parts.readPin(hexOf(vault.id))), bootLog);
  const log = bootLog.unseal(vault.signer(epochOf(vault, bootLog)), vault.sealer(), parts.events(vault, findings));
  const ended = await settle(log, newest, vault, open);
  if (parts.recovery !== undefined && parts.recovery !== null)
    await log.append({ kind: "vault.recovered" }, { cause: starting });
  await log.append(
    {
      kind: "vault.opened",
      protector: vault.protector,
      generation: vault.generation,
      ...(ended === null ? {} : { ended }),
    },
    { cause: starting },
  );
  if (parts.makesRoomIn !== null)
    await log.append({ kind: "storage.exhausted", free: parts.makesRoomIn }, { cause: starting });
  return { log, vault, starting, findings };
}

/** Opens the vault, waiting for as long as it is locked. @param told what happens meanwhile. */
async function openVault(
  parts: BootParts,
  newest: NewestChange | null,
  given: Secret | null,
  told: { readonly opening?: (vaultId: string) => void; readonly waited?: () => void } = {},
): Promise<Vault> {
  const locked = await LockedVault.open(parts.home.vault);
  locked.settle(newest);
  told.opening?.(hexOf(locked.id));
  if (parts.recovery !== undefined && parts.recovery !== null) {
    try {
      return locked.recover(parts.recovery, newest).vault;
    } catch (error) {
      locked.close();
      throw error;
    }
  }
  let passphrase: Secret | null = given ?? (await parts.passphrase());
  for (;;) {
    try {
      const typed = passphrase;
      passphrase = null;
      using master = await fetchMaster(locked, parts.keepers, typed === null ? null : () => Promise.resolve(typed));
      return locked.unlock(master, newest).vault;
    } catch (error) {
      if (!(error instanceof VaultError) || !LOCKED.has(error.code)) throw error;
      passphrase = await parts.locked(error);
      told.waited?.();
    }
  }
}

interface FoundChange extends NewestChange {
  readonly seq: number;
  /** The row that it ended in; null where the log does not know how it did. */
  readonly ended: number | null;
}

/** The newest change of the vault that the log knows, and how it ended. Read backwards: an opening of the vault names how the change before it ended, so that what
 *  lies before the last start is not searched. */
export function newestChange(bootLog: Pick<BootLog, "rows" | "row" | "size">): FoundChange | null {
  const ended = new Map<number, CommittedRow>();
  for (let before = bootLog.size; ; ) {
    const [row] = bootLog.rows({ kind: "vault.", limit: 1, before });
    if (row === undefined) return null;
    const { action, cause, seq } = row;
    if (action.kind === "vault.changing") return foundChange(row, ended.get(seq) ?? null);
    if (cause !== null && isEnd(row)) ended.set(cause, row);
    const named = action.kind === "vault.opened" && action.ended !== undefined ? bootLog.row(action.ended) : null;
    const changing = named === null || named.cause === null ? null : bootLog.row(named.cause);
    if (changing !== null) return foundChange(changing, named);
    before = seq;
  }
}

function isEnd({ action }: CommittedRow): boolean {
  return action.kind === "vault.changed" || action.kind === "vault.change.abandoned";
}

function foundChange({ action, seq }: CommittedRow, end: CommittedRow | null): FoundChange | null {
  if (action.kind !== "vault.changing") return null;
  const how = end?.action.kind;
  const outcome = how === "vault.changed" || how === "vault.change.abandoned" ? how : null;
  return { action, seq, outcome, ended: outcome === null ? null : (end?.seq ?? null) };
}

/** A change whose outcome the log does not know: the vault tells on which side of it the crash fell. `interrupted` reports it as any other intent.
 *  @returns the row that the newest change ended in; null where none tells. */
async function settle(
  log: AuditLog,
  newest: FoundChange | null,
  vault: Vault,
  open: ReadonlySet<number>,
): Promise<number | null> {
  if (newest === null || newest.outcome !== null) return newest?.ended ?? null;
  // A commit that failed, as on a full disk, ended its row then: the vault tells the rest.
  if (!open.has(newest.seq)) return null;
  const kind = vault.generation === newest.action.to ? "vault.changed" : "vault.change.abandoned";
  return (await log.append({ kind }, { cause: newest.seq })).seq;
}

/** During a rotation the vault holds two epochs; the log says which one its next checkpoint must be signed with. */
function epochOf(vault: Vault, bootLog: BootLog): number {
  const found = vault.logEpochs().find((epoch) => vault.signer(epoch).vkey === bootLog.vkey);
  if (found === undefined)
    throw new VaultError(
      "VAULT_NOT_FOUND",
      "the vault holds no key that this log was signed with: they do not belong together",
    );
  return found;
}

/** The pin is in the keychain: a log that is behind it, or another one, is a finding. */
function findingsOf(pin: PinRead, bootLog: BootLog): OpenFinding[] {
  if (pin.state !== "found") return [];
  // Nothing was pinned since this log took the place of the one that the pin is of: its own first pin is still to come.
  const before = bootLog.genesis?.predecessor;
  if (before !== undefined && pin.note.startsWith(`${before}\n`)) return [];
  const wrong = bootLog.compare(pin.note);
  return wrong === null ? [] : [{ code: `PIN_${wrong.code.toUpperCase()}`, seq: null, sentence: wrong.sentence }];
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
