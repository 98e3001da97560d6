import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { readAlarms } from "../../audit/alarm.ts";
import { beside } from "../../audit/beside.ts";
import { AuditError } from "../../audit/error.ts";
import { BootLog } from "../../audit/log.ts";
import { EMPTY_ROOT } from "../../audit/merkle.ts";
import { systemClock } from "../../audit/ports.ts";
import { type Pin, type Verdict, verify } from "../../audit/verify.ts";
import { VaultError } from "../../vault/error.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { fetchMaster, type Keepers } from "../../vault/protector.ts";
import type { Secret } from "../../vault/secret.ts";
import type { Vault } from "../../vault/vault.ts";
import type { Home } from "../config/home.ts";
import { mint } from "../ipc/ids.ts";
import { newestChange } from "./boot.ts";
import { OperatorError } from "./operator-error.ts";
import { durably, swapIn } from "./staged-swap.ts";
import { State } from "./state.ts";

export interface RestoreParts {
  readonly home: Home;
  readonly keepers: Keepers;
  readonly readPin: (vaultId: string) => Promise<Pin>;
  /** Asked where the vault opens with a passphrase. */
  readonly passphrase: () => Promise<Secret>;
  readonly reason: string;
  readonly via: string;
}

/** What became of the damaged log, and what its place was taken by. */
export interface Restored {
  /** Path of the file that was kept, read-only. */
  readonly kept: string;
  readonly rows: number;
  readonly predecessor: string;
  readonly origin: string;
  readonly vkey: string;
  readonly ahead: number | null;
  /** Who was let in by the log that was kept, the owner aside: nobody of them is by the new one. */
  readonly people: readonly { readonly name: string; readonly role: string }[];
}

/** Takes the place of a log that cannot be continued: keeps its file as it is, and begins a new one whose first row names it, with why and by whom.
 *
 *  The caller holds the writer's lock. A crash at any instant leaves the old log in place, or everything that {@link finishRestore} needs to go on.
 *  The vault and its credentials stay; people, grants and sessions follow from rows, so the new log begins without any.
 *  @throws {OperatorError} when there is nothing to restore; {VaultError} when the vault does not open. */
export async function restoreLog(parts: RestoreParts): Promise<Restored> {
  const { home } = parts;
  await finishRestore(home);
  if (!existsSync(home.audit))
    throw new OperatorError("not-found", `there is no log in ${home.root}`, "it begins with: wirken start");
  using vault = await openVault(parts);
  const pin = await parts.readPin(Buffer.from(vault.id).toString("hex"));
  const verdict = await verdictOf(home.audit, pin);
  await refuseHealthy(home, vault, verdict);
  const people = peopleOf(home, vault);
  const predecessor = vault.origin;
  const kept = { kept: verdict?.size ?? 0, keptRoot: verdict?.root ?? EMPTY_ROOT, ahead: aheadOf(verdict) };
  rmSync(stagingOf(home), { recursive: true, force: true });
  mkdirSync(stagingOf(home), { mode: 0o700 });
  const stem = `audit-${new Date().toISOString().replaceAll(":", "-").replace(".", "-")}`;
  durably(join(stagingOf(home), "stem"), stem);
  const begun = await begin(home, vault, {
    predecessor,
    ...kept,
    by: mint("principal"),
    via: parts.via,
    reason: parts.reason,
  });
  swap(home);
  return { kept: join(home.root, `${stem}.db`), rows: kept.kept, predecessor, ...begun, ahead: kept.ahead, people };
}

/** Ends what a crash interrupted. The caller holds the writer's lock. @returns whether the new log took its place now. */
export async function finishRestore(home: Home): Promise<boolean> {
  const staging = stagingOf(home);
  const staged = join(staging, "audit.db");
  if (!existsSync(staging)) return false;
  if (existsSync(staged) && existsSync(join(staging, "stem")) && (await committed(home, staged))) {
    swap(home);
    return true;
  }
  // The vault still belongs to the old log, or the new one is in its place already.
  rmSync(staging, { recursive: true, force: true });
  return false;
}

function stagingOf(home: Home): string {
  return join(home.root, "restoring");
}

/** Has the vault gone over to the staged log? */
async function committed(home: Home, staged: string): Promise<boolean> {
  const log = BootLog.open(staged, systemClock);
  try {
    const [row] = log.rows({ kind: "vault.changing", limit: 1 });
    if (row?.action.kind !== "vault.changing") return false;
    const vault = await LockedVault.open(home.vault);
    try {
      return vault.generation === row.action.to && vault.root === row.action.toRoot;
    } finally {
      vault.close();
    }
  } finally {
    log.close();
  }
}

async function openVault({ home, keepers, passphrase }: RestoreParts): Promise<Vault> {
  const locked = await LockedVault.open(home.vault);
  try {
    using master = await fetchMaster(locked, keepers, passphrase);
    return locked.unlockAsItIs(master);
  } catch (error) {
    locked.close();
    throw error;
  }
}

/** @returns null for a file that cannot even be read. */
async function verdictOf(path: string, pin: Pin): Promise<Verdict | null> {
  try {
    return await verify(path, { live: true, pin });
  } catch (error) {
    if (error instanceof AuditError) return null;
    throw error;
  }
}

/** A log that can go on is not replaced: whoever is let in, and every grant, would have to be given again for nothing. */
async function refuseHealthy(home: Home, vault: Vault, verdict: Verdict | null): Promise<void> {
  if (verdict === null || verdict.state === "broken" || readAlarms(home.audit).length > 0) return;
  // Its key was lost, or another vault was put beside it.
  if (!vault.logEpochs().some((epoch) => vault.signer(epoch).vkey === verdict.vkey)) return;
  if (!(await belongs(home))) return;
  throw new OperatorError(
    "refused",
    "nothing is wrong with this log, so it is not replaced",
    "wirken audit verify says what holds",
  );
}

/** Is the vault the one that the log's newest change left? An older one opens with no log but a new one. */
async function belongs(home: Home): Promise<boolean> {
  let log: BootLog;
  try {
    log = BootLog.open(home.audit, systemClock);
  } catch (error) {
    // What a start says of it, the verdict may not know yet.
    if (error instanceof AuditError && error.code === "AUDIT_BROKEN") return false;
    throw error;
  }
  try {
    const vault = await LockedVault.open(home.vault);
    try {
      vault.settle(newestChange(log));
      return true;
    } catch (error) {
      if (error instanceof VaultError && (error.code === "VAULT_ROLLED_BACK" || error.code === "VAULT_EDITED"))
        return false;
      throw error;
    } finally {
      vault.close();
    }
  } finally {
    log.close();
  }
}

function aheadOf(verdict: Verdict | null): number | null {
  if (verdict === null) return null;
  const ahead = verdict.anchors.filter(({ good, size }) => !good && size > verdict.size).map(({ size }) => size);
  return ahead.length === 0 ? null : Math.max(...ahead);
}

/** From the projection, as far as it can be read: it is told, and decides nothing. */
function peopleOf(home: Home, vault: Vault): { name: string; role: string }[] {
  if (!existsSync(home.state)) return [];
  try {
    const state = State.open(home.state, vault.stateSealer(), vault.formerStateSealers());
    try {
      return state.people().flatMap(({ name, role }) => (role === "owner" ? [] : [{ name, role }]));
    } finally {
      state.close();
    }
  } catch {
    return [];
  }
}

/** The new log, whole and signed, beside the old one; then the vault goes over to it. */
async function begin(
  home: Home,
  vault: Vault,
  succeeds: Parameters<BootLog["create"]>[2]["succeeds"] & object,
): Promise<{ origin: string; vkey: string }> {
  using plan = vault.plan({ change: "log-key", step: "succeed" });
  const bootLog = BootLog.open(join(stagingOf(home), "audit.db"), systemClock);
  const log = await bootLog.create(vault.plannedSigner(plan), vault.sealer(), {
    protector: vault.protector,
    anchors: 0,
    succeeds,
  });
  try {
    const recorded = await log.record(plan.row, { cause: 0 });
    vault.commit(plan, recorded);
    await recorded.finish({ kind: "vault.changed" });
    return { origin: log.origin, vkey: log.vkey };
  } finally {
    await log.close();
  }
}

function swap(home: Home): void {
  const staging = stagingOf(home);
  const stem = join(home.root, basename(readFileSync(join(staging, "stem"), "utf8")));
  const old = beside(home.audit);
  const made = join(staging, "audit.db");
  swapIn({
    root: home.root,
    staging,
    aside: [
      [`${home.audit}-wal`, `${stem}.db-wal`],
      [old.checkpoint, `${stem}.checkpoint`],
      [old.alarm, `${stem}.alarm`],
      [home.audit, `${stem}.db`],
    ],
    gone: [`${home.audit}-shm`, old.reserve, home.state, `${home.state}-wal`, `${home.state}-shm`],
    placed: [
      [beside(made).checkpoint, old.checkpoint],
      [made, home.audit],
    ],
  });
}
