import type { ChildProcess } from "node:child_process";
import { userInfo } from "node:os";
import { readAlarms, writeAlarms } from "../../audit/alarm.ts";
import { AuditError } from "../../audit/error.ts";
import type { VaultError } from "../../vault/error.ts";
import type { Keepers } from "../../vault/protector.ts";
import { Secret } from "../../vault/secret.ts";
import { controlSocketPath, ensureHome, type Home } from "../config/home.ts";
import { BUILD, COMMIT, VERSION } from "../ipc/build.ts";
import { Name } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { VaultStatus } from "../ipc/vault-calls.ts";
import type { CommandGroups } from "../sandbox/group.ts";
import { type Booted, boot } from "./boot.ts";
import { Composition } from "./composition.ts";
import { ControlSocket } from "./control.ts";
import { executableDigest } from "./executable.ts";
import { WriterLock } from "./lock.ts";
import type { Caller, Emit } from "./operator.ts";
import type { OpenFinding } from "./findings.ts";
import { OperatorError } from "./operator-error.ts";
import { finishRestore } from "./restore.ts";
import { claimGroups, closeNetwork, forbidRingsToChildren, giveBack, hideMemory, offered } from "./own-walls.ts";
import { passphraseFrom } from "./passphrase-source.ts";
import { finishReplace } from "./vault-replace.ts";
import { HelperKeychain, KEYCHAIN_MS } from "./protector.ts";
import type { KeychainState } from "./vault-keeper.ts";

/** A vault that could not be opened is tried again after this long. */
const RETRY_MS = 30_000;

/** Errors of the log that are findings: somebody else wrote to it, or what is stored is not what was written. */
const FOUND: ReadonlySet<AuditError["code"]> = new Set(["AUDIT_BROKEN", "AUDIT_SECOND_WRITER"]);

function findingOf(error: AuditError): OpenFinding {
  return { code: error.code, seq: null, sentence: error.message };
}

/** Calls of a command in its own process that act by the agents' settings. */
const NEEDS_SETTINGS: ReadonlySet<OperatorCall["call"]> = new Set(["say", "status", "vault.add"]);

/** The operating system's name for this account; one that it has none for, as in many containers, goes by its number. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `user ${process.getuid?.() ?? 0}`;
  }
}

/** @throws {OperatorError} if a wall is missing here. One role stands for all: what the kernel offers, it offers to each. */
async function refuseLess(composition: Composition): Promise<void> {
  const { missing } = await composition.confined.look(["agent"]);
  const [first] = missing;
  if (first === undefined) return;
  throw new OperatorError(
    "not-ready",
    `full confinement is required, and ${missing.map(({ layer }) => layer).join(", ")} is missing here: ${first.costs}`,
    "wirken doctor confinement says what each costs; to start with less: without --require full, and without confinement in config.json",
  );
}

/** A start and what it began is over by then. */
const GIVE_BACK_MS = 4_000;
/** Ten short-lived processes one after the other: not while a start has its own to do. */
const TRY_WALLS_MS = 60_000;

export interface DaemonOptions {
  readonly home: Home;
  readonly environment: NodeJS.ProcessEnv;
  /** False: one command in this process; no channel, no page, no control socket. */
  readonly serve: boolean;
  readonly port: number | null;
  /** An operational line: never message text, never a secret. */
  readonly line: (role: string, line: string) => void;
  /** Bytes that are free on a disk that is full, for a command that makes room there: it may spend the log's reserve. */
  readonly makesRoomIn?: number | null;
  /** The keychain's helpers that were started in advance. */
  readonly helpers?: readonly ChildProcess[];
  /** `full`: with less than every wall nothing is started. */
  readonly require?: "full" | null;
  /** What the owner's recovery phrase says, for a command that opens the vault with it. */
  readonly recovery?: Secret;
  /** Told when the vault is locked and the daemon waits. */
  readonly waiting?: (sentence: string) => void;
}

/** The daemon from its lock to its last row. While the vault is locked it answers what needs no key. */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #lock: WriterLock;
  /** As it was given in the environment, until the vault asks for it. */
  #passphrase: Secret | null;
  readonly #since = new Date().toISOString();
  readonly #keepers: Keepers;
  readonly #keychain: HelperKeychain;
  readonly #stopped = Promise.withResolvers<void>();
  #probed: { readonly at: number; readonly state: KeychainState } | null = null;
  #groups: CommandGroups | string = "no daemon runs, which asks for one when it starts";
  #control: ControlSocket | null = null;
  #booted: Booted | null = null;
  #composition: Composition | null = null;
  #locked: { status: VaultStatus; unlock: (passphrase: Secret) => void; tried: Promise<void> } | null = null;
  #attempt = Promise.withResolvers<void>();
  #closing = false;

  private constructor(options: DaemonOptions, lock: WriterLock, passphrase: Secret | null) {
    this.#options = options;
    this.#passphrase = passphrase;
    this.#lock = lock;
    this.#keychain = new HelperKeychain({
      timeout: options.serve ? KEYCHAIN_MS.daemon : KEYCHAIN_MS.terminal,
      log: (line) => options.line("keychain", line),
      started: options.helpers ?? [],
    });
    this.#keepers = { keychain: this.#keychain, provisional: options.home.provisionalKey };
  }

  /** Takes the lock and, when serving, answers on the control socket; from then on this process opens no connection. Nothing is open yet:
   *  {@link Daemon.run} does that.
   *  @throws {LockedError}, {HomeError}. */
  static async open(options: DaemonOptions): Promise<Daemon> {
    forbidRingsToChildren();
    ensureHome(options.home);
    const lock = WriterLock.take(options.home);
    let passphrase: Secret | null;
    try {
      passphrase = passphraseFrom(options.environment);
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
    const daemon = new Daemon(options, lock, passphrase);
    if (options.serve) {
      // Before there are children but those that were started in advance: all of them are to be in the daemon's own group.
      daemon.#groups = claimGroups((options.helpers ?? []).flatMap(({ pid }) => pid ?? []));
      daemon.#lock.announce({ pid: process.pid, since: daemon.#since, web: null });
      daemon.#control = await ControlSocket.open({
        path: controlSocketPath(options.home, options.environment),
        tokenFile: options.home.token,
        build: BUILD,
        answer: async (call, payload, emit, signal) =>
          await daemon.answer(call, payload, { via: "terminal", browser: null }, emit, signal),
      });
    }
    closeNetwork();
    hideMemory();
    return daemon;
  }

  /** Opens log and vault, waits for as long as the vault is locked, and starts what is to run. Resolves when it is ready. */
  async run(): Promise<void> {
    const { home, serve, line } = this.#options;
    // In a thread of its own, while this one opens log and vault.
    const digest = serve ? executableDigest() : null;
    digest?.catch(() => undefined);
    if (finishReplace(home)) line("vault", "a change of vaults that was interrupted is done: the new one is in place");
    if (await finishRestore(home)) line("audit", "a restore that was interrupted is done: a new log is in place");
    const booted = await boot({
      home,
      keepers: this.#keepers,
      probe: async () => await this.#probe(0),
      passphrase: () => {
        const once = this.#passphrase;
        this.#passphrase = null;
        return Promise.resolve(once);
      },
      locked: async (error) => await this.#waitUnlocked(error),
      recovery: this.#options.recovery ?? null,
      readPin: async (vaultId) => await this.#keychain.readPin(vaultId),
      makesRoomIn: this.#options.makesRoomIn ?? null,
      events: (vault, findings) => ({
        pin: async (note) => {
          // While a finding is open, the pin that it rests on stays.
          const held = findings.length > 0 && (this.#composition?.findings.open.length ?? 1) > 0;
          const promised = vault.protector === "keychain" || this.#composition?.anchors.pinned === true;
          if (promised && !held) await this.#keychain.writePin(hexOf(vault.id), note);
        },
        failed: (error) => {
          line("audit", error.message);
          if (FOUND.has(error.code)) void this.#composition?.findings.raise([findingOf(error)]);
        },
        foreign: () => {
          line("audit", "another program has written to the audit log: all of it is verified now");
          this.#composition?.verification?.hurry();
        },
      }),
    }).catch((error: unknown) => this.#refused(error));
    this.#keychain.rest();
    this.#booted = booted;
    this.#attempt.resolve();
    this.#locked = null;
    const vaultId = hexOf(booted.vault.id);
    const composition = await Composition.open({
      home,
      booted,
      keepers: this.#keepers,
      probe: async (maxAgeMs) => await this.#probe(maxAgeMs),
      pin: async () =>
        booted.vault.protector === "keychain" || this.#composition?.anchors.pinned === true
          ? await this.#keychain.readPin(vaultId)
          : { state: "absent" },
      owner: accountName(),
      environment: this.#options.environment,
      serve,
      groups: this.#groups,
      port: this.#options.port,
      since: this.#since,
      line,
      stop: () => this.stop(),
    });
    this.#composition = composition;
    const wrong = composition.findings.stopped;
    if (serve && wrong !== null) throw new OperatorError("not-ready", wrong, composition.findings.hint);
    // A command that only looks puts nothing in force.
    if (!serve) return;
    await composition.configure(booted.starting);
    composition.beginEgress("at the start");
    // Side by side: each of these waits for another process, or for the disk.
    const page = composition.web?.open(booted.starting);
    const ollama = composition.findings.stopped === null ? composition.agents.findOllama() : null;
    // What fails while something else is waited for is told below, and is nothing unhandled until then.
    page?.catch(() => undefined);
    ollama?.catch(() => undefined);
    const probe = composition.sandbox.probe();
    const sandbox = await probe;
    await booted.log.append(
      { kind: "sandbox.probed", state: sandbox.state },
      { cause: booted.starting, ...(sandbox.state === "works" ? {} : { content: { detail: sandbox.sentence } }) },
    );
    await booted.log.append(
      {
        kind: "daemon.started",
        version: VERSION,
        commit: COMMIT,
        executable: await (digest ?? executableDigest()),
        system: `${process.platform}-${process.arch}/node-${process.versions.node}`,
        confinement: offered(),
        vault: booted.vault.protector,
      },
      { cause: booted.starting },
    );
    if (this.#options.require === "full" || composition.config.config.confinement === "full")
      await refuseLess(composition);
    await Promise.all([page, ollama]);
    await composition.serve();
    await booted.log.checkpoint("start");
    // Beside the start: it is a question to the keychain.
    void booted.log.pin();
    composition.verification?.start();
    composition.beginEgress("when ready");
    this.#lock.announce({ pid: process.pid, since: this.#since, web: composition.web?.origin ?? null });
    this.#tryWalls(composition);
    setTimeout(giveBack, GIVE_BACK_MS).unref();
  }

  /** Puts on the record what each role's walls hold here, once nobody waits for this start any more. */
  #tryWalls(composition: Composition): void {
    const timer = setTimeout(() => {
      if (this.#closing) return;
      composition.confined.look().catch((error: unknown) => {
        if (!this.#closing)
          this.#options.line(
            "daemon",
            `the walls were not tried: ${error instanceof Error ? error.message : String(error)}`,
          );
      });
    }, TRY_WALLS_MS);
    timer.unref();
    void this.#stopped.promise.then(() => clearTimeout(timer));
  }

  /** A log that cannot be continued is an alarm too: it is there when nothing can be recorded. */
  #refused(error: unknown): never {
    const { home, line } = this.#options;
    if (error instanceof AuditError && FOUND.has(error.code)) {
      const known = readAlarms(home.audit);
      const found = { ...findingOf(error), row: null, at: new Date().toISOString() };
      if (!known.some(({ code }) => code === found.code)) {
        try {
          writeAlarms(home.audit, [...known, found]);
        } catch (cause) {
          line("audit", `the alarm cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`);
        }
      }
      line("audit", `ALARM ${found.code}: ${found.sentence}`);
    }
    throw error;
  }

  /** What the owner asks: all of it once the vault is open, before that what needs no key. */
  async answer(
    call: OperatorCall,
    payload: Uint8Array,
    caller: Caller,
    emit: Emit,
    signal: AbortSignal,
  ): Promise<object> {
    if (this.#composition !== null && !this.#options.serve && NEEDS_SETTINGS.has(call.call))
      await this.#composition.configure(this.#booted?.starting ?? null);
    if (this.#composition !== null) return await this.#composition.operator.answer(call, payload, caller, emit, signal);
    if (call.call === "daemon.stop") {
      this.stop();
      return {};
    }
    const locked = this.#locked;
    if (locked === null) throw new OperatorError("not-ready", "the daemon is still starting", "try again in a moment");
    if (call.call === "vault.status") return locked.status;
    if (call.call === "status") return this.#lockedStatus(locked.status);
    if (call.call === "vault.unlock") {
      this.#attempt = Promise.withResolvers<void>();
      locked.unlock(Secret.take(payload));
      await this.#attempt.promise;
      return await this.#unlockedStatus();
    }
    throw new OperatorError("locked", locked.status.sentence, "run wirken vault unlock");
  }

  /** A question to the keychain is a process of its own. @param maxAgeMs an answer so old is as good as a new one. */
  async #probe(maxAgeMs: number): Promise<KeychainState> {
    const known = this.#probed;
    if (known !== null && Date.now() - known.at < maxAgeMs) return known.state;
    const state = await this.#keychain.probe();
    this.#probed = { at: Date.now(), state };
    return state;
  }

  /** How the vault is, once it is open. */
  async vaultStatus(): Promise<VaultStatus> {
    return await this.#unlockedStatus();
  }

  async #unlockedStatus(): Promise<VaultStatus> {
    const { vault } = this.#booted ?? { vault: null };
    if (vault === null)
      throw new OperatorError(
        "locked",
        this.#locked?.status.sentence ?? "the vault is locked",
        "try again: wirken vault unlock",
      );
    return {
      state: "open",
      protector: vault.protector,
      keychain: await this.#keychain.probe(),
      recovery: vault.recoverable,
      sentence: "open",
    };
  }

  #lockedStatus(vault: VaultStatus): AnswerTo<"status"> {
    return {
      version: VERSION,
      build: BUILD,
      pid: process.pid,
      since: this.#since,
      home: this.#options.home.root,
      web: null,
      vault,
      model: { agent: Name.parse("default"), ref: "none", note: null },
      agents: [],
      channels: [],
      sandbox: { works: false, note: "not tried while the vault is locked" },
      search: "not asked while the vault is locked",
      log: { rows: 0, checkpoint: 0, stopped: vault.sentence },
      storage: { state: "good", sentence: null },
      proxy: null,
      processes: [],
      pendingApprovals: 0,
      notes: ["run wirken vault unlock: until then nothing can be recorded, so nothing runs"],
    };
  }

  /** Waits for a passphrase, or for the time to try the keychain again. */
  async #waitUnlocked(cause: VaultError): Promise<Secret | null> {
    const passphraseWanted = cause.code === "VAULT_PASSPHRASE_NEEDED" || cause.code === "VAULT_WRONG_PASSPHRASE";
    const keychain = passphraseWanted
      ? "absent"
      : cause.code === "VAULT_KEYCHAIN_LOCKED"
        ? "locked"
        : cause.code === "VAULT_KEYCHAIN_ABSENT"
          ? "absent"
          : "unreachable";
    const status: VaultStatus = {
      state: keychain === "unreachable" ? "unreachable" : "locked",
      protector: passphraseWanted ? "passphrase" : "keychain",
      keychain,
      recovery: null,
      sentence: cause.message,
    };
    this.#options.waiting?.(cause.message);
    this.#keychain.rest();
    const unlocked = Promise.withResolvers<Secret | null>();
    this.#locked = { status, unlock: unlocked.resolve, tried: this.#attempt.promise };
    this.#attempt.resolve();
    const timer = passphraseWanted ? null : setTimeout(() => unlocked.resolve(null), RETRY_MS);
    const secret = await Promise.race([unlocked.promise, this.#stopped.promise.then(() => null)]);
    if (timer !== null) clearTimeout(timer);
    if (this.#closing) throw new OperatorError("stopped", "stopped while the vault was locked");
    return secret;
  }

  get composition(): Composition {
    if (this.#composition === null) throw new OperatorError("not-ready", "the daemon is still starting");
    return this.#composition;
  }

  /** Resolves when somebody asked it to stop. */
  get asked(): Promise<void> {
    return this.#stopped.promise;
  }
  get closing(): boolean {
    return this.#closing;
  }
  stop(): void {
    this.#closing = true;
    this.#stopped.resolve();
  }

  /** Ends everything in order and closes the log. */
  async close(reason: "command" | "signal" | "failure"): Promise<void> {
    this.stop();
    this.#passphrase?.[Symbol.dispose]();
    this.#keychain.rest();
    try {
      await this.#composition?.close();
      const booted = this.#booted;
      if (booted !== null) {
        if (this.#options.serve)
          await booted.log
            .append({ kind: "daemon.stopped", reason }, { cause: booted.starting })
            .catch(() => undefined);
        await booted.log.close();
        this.#composition?.closeState();
        booted.vault.close();
      }
    } finally {
      await this.#control?.[Symbol.asyncDispose]();
      this.#lock[Symbol.dispose]();
    }
  }
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
