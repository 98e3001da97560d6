import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditLog, BootLog } from "../../audit/log.ts";
import { systemClock } from "../../audit/ports.ts";
import { HelperKeychain, KEYCHAIN_MS } from "../../src/supervisor/protector.ts";
import { LockedVault, type NewestChange, type Settled } from "../../vault/locked-vault.ts";
import type { Metadata } from "../../vault/metadata.ts";
import { fetchMaster, type Keepers, moveTo } from "../../vault/protector.ts";
import { Secret } from "../../vault/secret.ts";
import { type RecordChange, Vault } from "../../vault/vault.ts";
import { HELPER } from "../keychain/session.ts";

/** A data directory as it lies on disk: the vault, the log, the provisional key. */
export class DataFolder implements Disposable {
  readonly path: string;
  readonly #own: boolean;

  /** @param path an existing folder, which then stays. */
  constructor(path?: string) {
    this.path = path ?? mkdtempSync(join(tmpdir(), "wirken-vault-"));
    this.#own = path === undefined;
  }

  get vault(): string {
    return join(this.path, "vault.db");
  }
  get log(): string {
    return join(this.path, "audit.db");
  }
  get keepers(): Keepers {
    const keychain = new HelperKeychain({ timeout: KEYCHAIN_MS.terminal, log: () => undefined, image: HELPER });
    return { keychain, provisional: join(this.path, "provisional.key") };
  }

  [Symbol.dispose](): void {
    if (this.#own) rmSync(this.path, { recursive: true, force: true });
  }
}

export const PASSPHRASE = "correct horse battery staple";

export function typed(text = PASSPHRASE): Secret {
  return Secret.take(new TextEncoder().encode(text));
}

/** A vault and its log, open together as the supervisor opens them. */
export class World implements AsyncDisposable {
  readonly vault: Vault;
  readonly log: AuditLog;
  readonly settled: Settled;
  readonly record: RecordChange;

  constructor(vault: Vault, log: AuditLog, settled: Settled) {
    this.vault = vault;
    this.log = log;
    this.settled = settled;
    this.record = async (row) => await log.record(row, { cause: null });
  }

  /** Opens what lies in a folder, making it where there is nothing yet. */
  static async open(folder: DataFolder, passphrase = PASSPHRASE): Promise<World> {
    const boot = BootLog.open(folder.log, systemClock);
    try {
      if (boot.genesis === null) {
        // As after a crash between the two: a vault of generation 0 is taken up.
        const found = await openVault(folder, null, passphrase).catch(async () => {
          await Vault.create(folder.vault, { kind: "none" }, folder.keepers);
          return await openVault(folder, null, passphrase);
        });
        const { vault, settled } = found;
        const log = await boot.create(vault.signer(), vault.sealer(), { protector: vault.protector, anchors: 0 });
        return new World(vault, log, settled);
      }
      const newest = newestChange(boot);
      const { vault, settled } = await openVault(folder, newest, passphrase);
      const epoch = vault.logEpochs().find((one) => vault.signer(one).vkey === boot.vkey);
      const open = boot.openIntents();
      const log = boot.unseal(vault.signer(epoch), vault.sealer());
      if (newest !== null && newest.outcome === null) {
        const [row] = log.rows({ kind: "vault.changing", limit: 1 });
        const kind = settled === "to" ? "vault.changed" : "vault.change.abandoned";
        if (open.some(({ seq }) => seq === row?.seq)) await log.append({ kind }, { cause: row?.seq ?? null });
      }
      return new World(vault, log, settled);
    } catch (error) {
      boot.close();
      throw error;
    }
  }

  /** Behind a passphrase, so that it keeps credentials. */
  static async guarded(folder: DataFolder): Promise<World> {
    const world = await World.open(folder);
    using passphrase = typed();
    await moveTo(world.vault, { kind: "passphrase", passphrase }, folder.keepers, world.record);
    return world;
  }

  async add(scope: string, secrets: Readonly<Record<string, string>>, metadata: Partial<Metadata> = {}): Promise<void> {
    const lent = Object.entries(secrets).map(([name, text]) => ({ name, secret: typed(text) }));
    const change = { change: "add", scope, secrets: lent, metadata: { ...METADATA, ...metadata } } as const;
    await this.vault.change(change, this.record);
    for (const { secret } of lent) secret[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.log.close();
    this.vault.close();
  }
}

export const METADATA: Metadata = {
  created: "2026-11-23T22:31:00.000Z",
  checked: null,
  account: null,
  hosts: [],
  expires: null,
  rotationDue: null,
};

export function textOf(secret: Secret): string {
  using own = secret;
  return own.use((bytes) => new TextDecoder().decode(bytes));
}

export async function openVault(
  folder: DataFolder,
  newest: NewestChange | null,
  passphrase = PASSPHRASE,
): Promise<{ vault: Vault; settled: Settled }> {
  const locked = await LockedVault.open(folder.vault);
  try {
    // Before anybody is asked for anything: an older copy is refused whoever opens it.
    locked.settle(newest);
    using master = await fetchMaster(locked, folder.keepers, () => Promise.resolve(typed(passphrase)));
    return locked.unlock(master, newest);
  } catch (error) {
    locked.close();
    throw error;
  }
}

/** The newest change that a log knows of, and how it ended. */
export function newestChange(log: BootLog | AuditLog): NewestChange | null {
  const [row] = log.rows({ kind: "vault.changing", limit: 1 });
  if (row?.action.kind !== "vault.changing") return null;
  const ended = (kind: "vault.changed" | "vault.change.abandoned") =>
    log.rows({ kind, limit: 1 })[0]?.cause === row.seq;
  const outcome = ended("vault.changed")
    ? "vault.changed"
    : ended("vault.change.abandoned")
      ? "vault.change.abandoned"
      : null;
  return { action: row.action, outcome };
}
