import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { beside } from "../../audit/beside.ts";
import { AuditError } from "../../audit/error.ts";
import { BootLog } from "../../audit/log.ts";
import { EMPTY_ROOT } from "../../audit/merkle.ts";
import { systemClock } from "../../audit/ports.ts";
import { verify } from "../../audit/verify.ts";
import type { OpenedBackup } from "../../vault/backup.ts";
import { VaultError } from "../../vault/error.ts";
import { LockedVault } from "../../vault/locked-vault.ts";
import { fetchMaster, type Keychain, type NewProtector } from "../../vault/protector.ts";
import { deleteProvisional } from "../../vault/provisional.ts";
import type { Secret } from "../../vault/secret.ts";
import { Vault } from "../../vault/vault.ts";
import type { Home } from "../config/home.ts";
import { mint } from "../ipc/ids.ts";
import { durably, swapIn } from "./staged-swap.ts";

export interface ReplaceParts {
  readonly home: Home;
  readonly keychain: Keychain;
  readonly protector: NewProtector;
  /** What the new vault holds from the beginning; null: nothing. */
  readonly from: OpenedBackup | null;
  readonly reason: string;
  readonly via: string;
}

/** What was put aside, and what took its place. */
export interface Replaced {
  /** Paths of the files that were kept, read-only. */
  readonly kept: readonly string[];
  /** Credentials that the vault of before held, as its file said, and the new one does not. */
  readonly lost: readonly string[];
  readonly credentials: number;
  readonly predecessor: string | null;
  readonly origin: string;
  readonly vkey: string;
  readonly protector: NewProtector["kind"];
}

/** Puts another vault in the place of one that does not open any more, and begins a log that names the one before: nobody has the key that would go on with it.
 *
 *  Both are made whole beside the old ones, and then put in their place. The caller holds the writer's lock. A crash at any instant leaves the old pair
 *  in place, or everything that {@link finishReplace} needs to go on.
 *  @throws {VaultError} what keeping the new master may throw: everything is then as it was. */
export async function replaceVault(parts: ReplaceParts): Promise<Replaced> {
  const { home } = parts;
  finishReplace(home);
  const staging = stagingOf(home);
  mkdirSync(staging, { mode: 0o700 });
  const stem = new Date().toISOString().replaceAll(":", "-").replace(".", "-");
  durably(join(staging, "stem"), stem);
  const before = await vaultBefore(home);
  const { vault, log } = await begin(parts, before);
  const now = new Set(vault.credentials().map(({ scope }) => scope));
  const replaced = {
    lost: before.scopes.filter((scope) => !now.has(scope)),
    credentials: now.size,
    predecessor: before.origin,
    origin: log.origin,
    vkey: log.vkey,
    protector: parts.protector.kind,
  };
  await log.close();
  vault.close();
  durably(join(staging, "ready"), "");
  return { ...replaced, kept: swap(home) };
}

/** Ends what a crash interrupted. The caller holds the writer's lock. @returns whether the new vault took its place now. */
export function finishReplace(home: Home): boolean {
  const staging = stagingOf(home);
  if (!existsSync(staging)) return false;
  if (existsSync(join(staging, "ready"))) {
    swap(home);
    return true;
  }
  rmSync(staging, { recursive: true, force: true });
  return false;
}

function stagingOf(home: Home): string {
  return join(home.root, "replacing");
}

/** What the file of before says of itself, without any key. */
async function vaultBefore(home: Home): Promise<{ scopes: string[]; origin: string | null }> {
  if (!existsSync(home.vault)) return { scopes: [], origin: null };
  try {
    const locked = await LockedVault.open(home.vault);
    const { scopes, origin } = locked;
    locked.close();
    return { scopes, origin };
  } catch (error) {
    // It is damaged, or written by a later version: what was in it is not known.
    if (error instanceof VaultError) return { scopes: [], origin: null };
    throw error;
  }
}

async function begin(parts: ReplaceParts, before: { scopes: string[]; origin: string | null }) {
  const { home, protector, from, reason, via } = parts;
  const staging = stagingOf(home);
  const path = join(staging, "vault.db");
  const keepers = { keychain: parts.keychain, provisional: join(staging, "provisional.key") };
  await Vault.create(path, protector, keepers, from);
  const locked = await LockedVault.open(path);
  const ask = protector.kind === "passphrase" ? () => Promise.resolve(protector.passphrase.copy()) : null;
  using master: Secret = await fetchMaster(locked, keepers, ask);
  const { vault } = locked.unlock(master, null);
  const bootLog = BootLog.open(join(staging, "audit.db"), systemClock);
  const by = mint("principal");
  const kept = await logBefore(home);
  const log = await bootLog.create(vault.signer(), vault.sealer(), {
    protector: vault.protector,
    anchors: 0,
    ...(kept === null || before.origin === null
      ? {}
      : { succeeds: { predecessor: before.origin, ...kept, ahead: null, by, via, reason } }),
  });
  const credentials = vault.credentials().length;
  if (from === null)
    await log.append(
      { kind: "vault.reset", credentials: before.scopes.length, by, via },
      { cause: 0, content: { lost: before.scopes.join("\n") } },
    );
  else await log.append({ kind: "vault.restored", made: from.made, credentials, by, via }, { cause: 0 });
  await log.checkpoint("demand");
  return { vault, log };
}

/** How far the log of before goes; null if there is none. */
async function logBefore(home: Home): Promise<{ kept: number; keptRoot: string } | null> {
  if (!existsSync(home.audit)) return null;
  try {
    const { size, root } = await verify(home.audit, { live: true });
    return { kept: size, keptRoot: root };
  } catch (error) {
    if (error instanceof AuditError) return { kept: 0, keptRoot: EMPTY_ROOT };
    throw error;
  }
}

/** @returns what was kept. */
function swap(home: Home): string[] {
  const staging = stagingOf(home);
  const stem = basename(readFileSync(join(staging, "stem"), "utf8"));
  const old = beside(home.audit);
  const vaultStem = join(home.root, `vault-${stem}.db`);
  const auditStem = join(home.root, `audit-${stem}`);
  const made = join(staging, "audit.db");
  const kept = [vaultStem, `${auditStem}.db`];
  swapIn({
    root: home.root,
    staging,
    aside: [
      [`${home.vault}-wal`, `${vaultStem}-wal`],
      [home.vault, vaultStem],
      [`${home.audit}-wal`, `${auditStem}.db-wal`],
      [old.checkpoint, `${auditStem}.checkpoint`],
      [old.alarm, `${auditStem}.alarm`],
      [home.audit, `${auditStem}.db`],
    ],
    gone: [
      `${home.vault}-shm`,
      `${home.audit}-shm`,
      old.reserve,
      ...["", "-wal", "-shm"].map((end) => `${home.state}${end}`),
    ],
    cleared: () => deleteProvisional(home.provisionalKey),
    placed: [
      [join(staging, "provisional.key"), home.provisionalKey],
      [join(staging, "vault.db"), home.vault],
      [beside(made).checkpoint, old.checkpoint],
      [made, home.audit],
    ],
  });
  return kept.filter((path) => existsSync(path));
}
