import type { Home } from "../config/home.ts";
import type { OperatorCall, OperatorEvent } from "../ipc/operator.ts";
import { Secret } from "../../vault/secret.ts";
import { ensureHome } from "../config/home.ts";
import { Daemon } from "./daemon.ts";
import { roomOf } from "./disk.ts";
import { LockedError, WriterLock } from "./lock.ts";
import { OperatorError } from "./operator-error.ts";
import { passphraseFrom } from "./passphrase-source.ts";
import { HelperKeychain, KEYCHAIN_MS } from "./protector.ts";
import { type Restored, restoreLog } from "./restore.ts";
import { troubleOf } from "./trouble.ts";

/** The supervisor's composition root inside a command, while no daemon runs: it holds the writer's lock and starts no channel. */
export interface Offline {
  call(
    call: OperatorCall,
    payload: Uint8Array,
    onEvent: (event: OperatorEvent, payload?: Uint8Array) => void,
    signal?: AbortSignal,
  ): Promise<object>;
  close(): Promise<void>;
}

export interface OfflineOptions {
  /** The call makes room: on a full disk the log's reserve is there for it. */
  readonly makesRoom?: boolean;
}

/** With less than this free a start cannot be relied on to record itself. */
const FULL_BYTES = 4 * 1_048_576;

/** Opens log and vault in this process. A locked vault leaves it answering what needs no key, until `vault.unlock`.
 *  @throws {LockedError} when a daemon or another command holds the data directory. @throws {OperatorError} when log, vault or disk cannot be used. */
export async function openOffline(home: Home, options: OfflineOptions = {}): Promise<Offline> {
  try {
    return await open(home, options);
  } catch (error) {
    const trouble = error instanceof LockedError ? null : troubleOf(error, home.root);
    if (trouble === null) throw error;
    throw new OperatorError("not-ready", trouble.sentence, trouble.hint, { cause: error });
  }
}

async function open(home: Home, options: OfflineOptions): Promise<Offline> {
  const free = roomOf(home.root)?.free ?? FULL_BYTES;
  const locked = Promise.withResolvers<void>();
  const daemon = await Daemon.open({
    home,
    environment: process.env,
    serve: false,
    port: null,
    makesRoomIn: options.makesRoom === true && free < FULL_BYTES ? free : null,
    line: () => undefined,
    waiting: () => locked.resolve(),
  });
  const running = daemon.run();
  running.catch(() => undefined);
  try {
    await Promise.race([running, locked.promise]);
  } catch (error) {
    await daemon.close("failure");
    throw error;
  }
  return {
    call: async (call, payload, onEvent, signal = new AbortController().signal) =>
      await daemon.answer(call, payload, { via: "terminal", browser: null }, onEvent, signal),
    close: async () => {
      daemon.stop();
      await running.catch(() => undefined);
      await daemon.close("command");
    },
  };
}

/** Begins a log that takes the place of a damaged one. @param ask for the passphrase, where the vault opens with one.
 *  @throws {LockedError} while a daemon or another command holds the data directory. */
export async function restoreOffline(
  home: Home,
  given: { readonly reason: string; readonly ask: () => Promise<Uint8Array> },
): Promise<Restored> {
  ensureHome(home);
  using _ = WriterLock.take(home);
  const keychain = new HelperKeychain({ timeout: KEYCHAIN_MS.terminal, log: () => undefined });
  return await restoreLog({
    home,
    keepers: { keychain, provisional: home.provisionalKey },
    readPin: async (vaultId) => await keychain.readPin(vaultId),
    passphrase: async () => passphraseFrom(process.env) ?? Secret.take(await given.ask()),
    reason: given.reason,
    via: "terminal",
  });
}
