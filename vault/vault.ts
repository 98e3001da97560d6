import type { ActionOf } from "../audit/action.ts";
import type { Recorded } from "../audit/recorded.ts";
import { type BackupKeys, type OpenedBackup, sealBackup } from "./backup.ts";
import { type Change, firstContents, type Plan, planChange } from "./change.ts";
import { ContentSeal, type ContentSealer } from "./content-seal.ts";
import { type Contents, type ProtectorKind, keysByScope, type RecordRow, recordsByScope, rootOf } from "./contents.ts";
import { contentScope, DAEMON_SCOPE } from "./credential-change.ts";
import { loadAead } from "./crypto.ts";
import { VaultError } from "./error.ts";
import { USER_VERSION } from "./format.ts";
import { kekOf, keyOf, keysOf, recordsOf, reveal, type Unlocked } from "./keyring.ts";
import { decodeOrigin, LOG_SCOPE, type LogSigner, signerOf } from "./log-key.ts";
import { metadataOf, type Metadata } from "./metadata.ts";
import { type Keepers, keepNewMaster, type NewProtector, newVaultId } from "./protector.ts";
import type { MasterPlace } from "./passphrase.ts";
import type { Secret } from "./secret.ts";
import { StateSeal, type StateSealer } from "./state-seal.ts";
import { Store } from "./store.ts";
import { tagOf } from "./tag.ts";

/** One scope's newest credential, without its bytes. */
export interface Credential extends Metadata {
  readonly scope: string;
  readonly version: number;
  readonly names: readonly string[];
  /** The version that is gone back to should this one not work; null: this one is confirmed, or the first. */
  readonly fallback: number | null;
}

/** Records a change, and resolves when it is durable: `(row) => log.record(row, { cause })`. */
export type RecordChange = (row: ActionOf<"vault.changing">) => Promise<Recorded<"vault.changing">>;

/** An open vault: keys at rest, in one file that one process writes. It is opened by `LockedVault.unlock`. */
export class Vault implements Disposable {
  readonly #store: Store;
  #contents: Contents;
  /** Null while the vault is locked. */
  #kek: Secret | null;
  #closed = false;
  readonly #now: () => number;
  readonly #content: ContentSeal;
  /** By the epoch of the daemon's key. */
  readonly #state = new Map<number, StateSeal>();
  /** What {@link credentials} said of these records. */
  #listed: { readonly of: Contents["records"]; readonly all: readonly Credential[] } | null = null;
  #planned: Plan | null = null;
  #changing: Promise<unknown> = Promise.resolve();

  /** @param now milliseconds since 1970, by which credentials expire. */
  constructor(store: Store, contents: Contents, kek: Secret, now: () => number) {
    this.#store = store;
    this.#contents = contents;
    this.#kek = kek;
    this.#now = now;
    this.#content = new ContentSeal(
      () => this.#opened(),
      () => this.#unlocked(),
    );
  }

  /** Makes a vault of generation 0, before the log has its first row: whoever finds such a vault and an empty log goes on from there.
   *  The caller holds the lock of the data directory, and asks for this only if the log is empty too: a log without its vault is a finding.
   *  @param from what it holds from the beginning: everything of a backup but the key of the log, whose place a new one takes.
   *  @throws {VaultError} VAULT_EXISTS, VAULT_UNWRITABLE, and what keeping the master may throw. */
  static async create(
    path: string,
    protector: NewProtector,
    keepers: Keepers,
    from: OpenedBackup | null = null,
  ): Promise<void> {
    await loadAead();
    Store.refusePresent(path);
    const id = newVaultId();
    const { master, wrapping } = await keepNewMaster(protector, { vault: id, masterId: 1 }, keepers);
    using kept = master;
    const { contents, tag } = firstContents({ id, masterId: 1, protector: protector.kind, wrapping }, kept, from);
    Store.create(path, contents, tag);
  }

  get id(): Uint8Array {
    return Uint8Array.from(this.#contents.head.id);
  }
  get masterId(): number {
    return this.#contents.head.masterId;
  }
  get protector(): ProtectorKind {
    return this.#contents.head.protector;
  }
  get generation(): number {
    return this.#contents.head.generation;
  }
  get root(): string {
    return rootOf(this.#contents);
  }
  /** With a passphrase: the wrapped master; else empty. */
  get wrapping(): Uint8Array {
    return Uint8Array.from(this.#contents.head.wrapping);
  }
  /** Whether a recovery phrase was made. */
  get recoverable(): boolean {
    return this.#contents.recovery !== null;
  }
  /** The format that the file had until it was opened, for as long as that is not on the log. */
  get migratedFrom(): number | null {
    return this.#store.migratedFrom;
  }
  /** The format that it has now. */
  get format(): number {
    return USER_VERSION;
  }
  /** It is on the log: the copy of the former file goes. */
  forgetFormer(): void {
    this.#store.forgetFormer();
  }

  get locked(): boolean {
    return !this.#closed && this.#kek === null;
  }

  /** Wipes what opens credentials and wraps new keys. The log goes on: its signer works, and what is said in sessions whose keys are in memory is sealed and opened. */
  lock(): void {
    if (this.#kek === null) return;
    this.#content.hold();
    this.#kek[Symbol.dispose]();
    this.#kek = null;
  }

  /** Opens it again after {@link lock}. @param master the caller disposes of it. @throws {VaultError} VAULT_WRONG_KEY, VAULT_CLOSED. */
  unlock(master: Secret): void {
    const { head } = this.#opened();
    if (this.#kek !== null) return;
    this.#kek = kekOf(master, head);
  }

  /** Everything in the vault, sealed in one file that opens with the recovery phrase or with a passphrase.
   *  @param made `2026-11-23T22:31:00.000Z`. @throws {VaultError} VAULT_NO_RECOVERY if there is neither, VAULT_WEAK_PASSPHRASE, VAULT_LOCKED. */
  async backup(made: string, keys: BackupKeys): Promise<Uint8Array> {
    return await sealBackup(this.#unlocked(), made, keys);
  }

  /** Makes one change: works it out, records it, commits it, and records that it is made. Changes queue.
   *  @throws {VaultError}, or what `record` throws: the vault is then as it was. If only the last row cannot be written it throws too, and
   *  the change is made: the next start finds that out. */
  change(change: Change, record: RecordChange): Promise<void> {
    return this.#queued(() => this.#changeNow(change, record));
  }

  /** Moves to a new master. @param keep makes it and gives it to its protector, whose account of it is `place`'s; called when it is this change's turn.
   *  @throws {VaultError}, or what `keep` and `record` throw; the vault is then as it was. */
  protect(
    protector: "keychain" | "passphrase",
    keep: (place: MasterPlace) => Promise<{ master: Secret; wrapping: Uint8Array }>,
    record: RecordChange,
  ): Promise<void> {
    return this.#queued(async () => {
      this.#unlocked();
      const masterId = this.masterId + 1;
      // Noted first: should a crash come before the commit, the keychain's copy is found again and deleted.
      if (protector === "keychain") this.#store.retire(masterId);
      const { master, wrapping } = await keep({ vault: this.id, masterId }).catch((error: unknown) => {
        if (error instanceof VaultError && error.code === "VAULT_KEYCHAIN_ABSENT") this.#store.forgetRetired(masterId);
        throw error;
      });
      using kept = master;
      await this.#changeNow({ change: "protect", protector, masterId, master: kept, wrapping }, record);
    });
  }

  async #changeNow(change: Change, record: RecordChange): Promise<void> {
    using plan = this.plan(change);
    const recorded = await record(plan.row);
    try {
      this.commit(plan, recorded);
    } catch (error) {
      // Should this row not be written either, the next start finds the intent open and asks the vault.
      await recorded.fail(error).catch(() => undefined);
      throw error;
    }
    await recorded.finish({ kind: "vault.changed" });
  }

  #queued<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(run, run);
    this.#changing = done.catch(() => undefined);
    return done;
  }

  /** Works a change out without writing. One at a time: the next needs this one committed or disposed of.
   *  Two rows that start from one generation would leave the vault where the newest does not expect it; {@link change} sees to all of this.
   *  @throws {VaultError} VAULT_BUSY, VAULT_CLOSED, and why the change is refused. */
  plan(change: Change): Plan {
    if (this.#planned !== null) throw new VaultError("VAULT_BUSY", "Another change of the vault is under way");
    const plan = planChange(this.#unlocked(), change, () => {
      if (this.#planned === plan) this.#planned = null;
    });
    this.#planned = plan;
    return plan;
  }

  /** Commits a plan that is on the log, in one transaction, durably. @throws {VaultError} VAULT_STALE_PLAN, VAULT_UNWRITABLE. */
  commit(plan: Plan, recorded: Recorded<"vault.changing">): void {
    if (plan !== this.#planned || !same(plan.row, recorded.action))
      throw new VaultError(
        "VAULT_STALE_PLAN",
        "The recorded row is not of this plan, or the plan is not the vault's newest",
      );
    recorded.redeem();
    const before = this.#contents.head;
    const kek = plan.takeKek();
    try {
      this.#write(plan, before, kek ?? this.#unlocked().kek);
    } catch (error) {
      kek?.[Symbol.dispose]();
      throw error;
    }
    this.#contents = plan.next;
    if (kek !== null) {
      this.#kek?.[Symbol.dispose]();
      this.#kek = kek;
    }
    this.#content.forgetDropped(plan.steps);
    this.#planned = null;
  }

  #write(plan: Plan, before: Contents["head"], kek: Secret): void {
    this.#store.write(plan.steps, {
      generation: plan.row.from,
      retire: plan.next.head.masterId !== before.masterId && before.protector === "keychain" ? before.masterId : null,
      keep: plan.next.head.masterId,
      erases: plan.erases,
      tag: tagOf(kek, plan.next),
    });
  }

  /** The name of the log whose keys these are: `wirken.local/audit/<32 hex>`. */
  get origin(): string {
    return this.#logKey().origin;
  }

  /** The epochs of the log's keys in the vault: one, or two between a rotation's steps. */
  logEpochs(): number[] {
    return recordsOf(this.#contents, LOG_SCOPE).map((row) => row.version);
  }

  /** @param epoch the newest if left out. @returns what signs the log's notes, until the vault is closed. @throws {VaultError} VAULT_NOT_FOUND. */
  signer(epoch?: number): LogSigner {
    const { row, origin } = this.#logKey(epoch);
    using seed = reveal(this.#unlocked(), row);
    return signerOf(seed, origin, () => !this.#closed);
  }

  /** @returns what signs the notes of a log that begins with this plan, before the vault commits it. */
  plannedSigner(plan: Plan): LogSigner {
    const { kek } = this.#unlocked();
    const row = recordsOf(plan.next, LOG_SCOPE).at(-1);
    if (row === undefined) throw new VaultError("VAULT_NOT_FOUND", "This plan has no key of a log");
    using seed = reveal({ contents: plan.next, kek }, row);
    return signerOf(seed, decodeOrigin(row.metadata), () => !this.#closed);
  }

  /** @returns what seals the log's content, until the vault is closed. */
  sealer(): ContentSealer {
    return this.#content;
  }

  /** @returns what seals the projection of the log, by the newest key of the daemon's content, until the vault is closed.
   *  @throws {VaultError} VAULT_LOCKED the first time, VAULT_CLOSED. */
  stateSealer(): StateSealer {
    return this.#stateSeal(keysOf(this.#contents, DAEMON_SCOPE).at(-1)?.epoch ?? 1);
  }

  /** The same by its former keys, newest first: there are some only while an erasure seals anew what stays, or a crash left it so. */
  formerStateSealers(): StateSealer[] {
    const former = keysOf(this.#contents, DAEMON_SCOPE).slice(0, -1);
    return former.map(({ epoch }) => this.#stateSeal(epoch)).toReversed();
  }

  #stateSeal(epoch: number): StateSealer {
    const known = this.#state.get(epoch);
    if (known !== undefined) return known;
    using key = keyOf(this.#unlocked(), DAEMON_SCOPE, epoch);
    const made = new StateSeal(key, this.id);
    this.#state.set(epoch, made);
    return made;
  }

  /** Whether content of this session can be sealed and opened; after its key was destroyed, or before it was made, it cannot. */
  hasContentKey(session: string): boolean {
    return keysOf(this.#contents, contentScope(session)).length > 0;
  }

  /** Sessions that have a former content key too: what stays of them is being sealed anew, or was when a crash came. */
  formerContentKeys(): string[] {
    const prefix = contentScope("");
    return [...keysByScope(this.#contents.keys)]
      .filter(([scope, rows]) => rows.length > 1 && scope.startsWith(prefix))
      .map(([scope]) => scope.slice(prefix.length));
  }

  /** The newest version of every credential, or of one scope's. The tag at the opening vouches for their metadata, and taking a secret does again.
   *  @throws {VaultError} VAULT_DAMAGED. */
  credentials(scope?: string): readonly Credential[] {
    const contents = this.#contents;
    if (scope !== undefined) return credentialOf(scope, recordsByScope(contents.records).get(scope) ?? []);
    if (this.#listed?.of !== contents.records) {
      const all = [...recordsByScope(contents.records)].flatMap(([known, rows]) => credentialOf(known, rows));
      this.#listed = { of: contents.records, all: all.toSorted((a, b) => (a.scope < b.scope ? -1 : 1)) };
    }
    return this.#listed.all;
  }

  /** @param version the newest if left out. @returns one secret, the caller's to dispose of.
   *  @throws {VaultError} VAULT_NOT_FOUND, VAULT_EXPIRED, VAULT_LOCKED, VAULT_DAMAGED. */
  take(scope: string, name: string, version?: number): Secret {
    const all = scope.startsWith("audit/") ? [] : recordsOf(this.#contents, scope);
    const wanted = version ?? all.at(-1)?.version;
    const row = all.find((record) => record.name === name && record.version === wanted);
    if (row === undefined) throw new VaultError("VAULT_NOT_FOUND", `There is no credential ${scope}/${name}`);
    const secret = reveal(this.#unlocked(), row);
    const { expires } = metadataOf(row.metadata);
    if (expires === null || Date.parse(expires) > this.#now()) return secret;
    secret[Symbol.dispose]();
    throw new VaultError("VAULT_EXPIRED", expiredSentence(scope, expires));
  }

  /** Masters whose accounts in the keychain are to be deleted. Never the one in use. */
  retiredMasters(): number[] {
    return this.#store.retired().filter((masterId) => masterId !== this.masterId);
  }

  forgetRetired(masterId: number): void {
    this.#store.forgetRetired(masterId);
  }

  /** Wipes every key and closes the file. Signers and sealers made here work no more. */
  close(): void {
    this.#closed = true;
    this.#content.close();
    for (const seal of this.#state.values()) seal[Symbol.dispose]();
    this.#kek?.[Symbol.dispose]();
    this.#kek = null;
    this.#store.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #unlocked(): Unlocked {
    const contents = this.#opened();
    if (this.#kek === null) throw new VaultError("VAULT_LOCKED", "The vault is locked: run `wirken vault unlock`");
    return { contents, kek: this.#kek };
  }

  #opened(): Contents {
    if (this.#closed) throw new VaultError("VAULT_CLOSED", "The vault is closed");
    return this.#contents;
  }

  #logKey(epoch?: number) {
    const all = recordsOf(this.#contents, LOG_SCOPE);
    const row = epoch === undefined ? all.at(-1) : all.find((record) => record.version === epoch);
    if (row === undefined) throw new VaultError("VAULT_NOT_FOUND", `There is no key of the log, epoch ${epoch ?? 1}`);
    return { row, origin: decodeOrigin(row.metadata) };
  }
}

/** The newest version of one scope's records; nothing for the log's own. */
function credentialOf(scope: string, rows: readonly RecordRow[]): Credential[] {
  const [first] = rows;
  if (first === undefined || scope.startsWith("audit/")) return [];
  let version = first.version;
  for (const row of rows) version = Math.max(version, row.version);
  const newest = rows.filter((row) => row.version === version).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const former = rows.filter((row) => row.version !== version).map((row) => row.version);
  const fallback = former.length === 0 ? null : Math.max(...former);
  const names = newest.map((row) => row.name);
  return [{ ...metadataOf(newest[0]?.metadata ?? first.metadata), scope, version, names, fallback }];
}

/** What is said of a credential that is past its time. */
export function expiredSentence(scope: string, expires: string): string {
  const name = scope.replace(/^(?:channel|provider)\//, "");
  return `The credential of ${name} expired on ${expires.slice(0, 10)}: enrol its successor with \`wirken vault add ${name}\``;
}

function same(planned: ActionOf<"vault.changing">, recorded: ActionOf<"vault.changing">): boolean {
  return (
    planned.change === recorded.change &&
    planned.scope === recorded.scope &&
    planned.from === recorded.from &&
    planned.fromRoot === recorded.fromRoot &&
    planned.to === recorded.to &&
    planned.toRoot === recorded.toRoot
  );
}
