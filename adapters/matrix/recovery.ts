import { BackupDecryptionKey, type KeysBackupRequest, RoomId, UserId } from "@matrix-org/matrix-sdk-crypto-wasm";
import { decodeRecoveryKey } from "matrix-js-sdk/lib/crypto-api/recovery-key.js";
import { TypedEventEmitter } from "matrix-js-sdk/lib/models/typed-event-emitter.js";
import { ServerSideSecretStorageImpl } from "matrix-js-sdk/lib/secret-storage.js";
import * as z from "zod/mini";
import type { Encryption, OwnDevice } from "./encryption.ts";
import { type Home, part, Refused } from "./home.ts";

/** What the recovery key opens: the account's signing keys, by which others know that this device is its own, and the backup of message keys. */

const Version = z.object({
  algorithm: z.literal("m.megolm_backup.v1.curve25519-aes-sha2"),
  auth_data: z.object({ public_key: z.string() }),
  version: z.string(),
});
const Session = z.object({
  session_data: z.object({ ephemeral: z.string(), mac: z.string(), ciphertext: z.string() }),
});
/** Keys that one request backs up; the machine says so many at once. */
const MAX_BACKUP_ROUNDS = 20;

/** The recovery key opens nothing of this account. */
export class RecoveryFailure extends Error {
  override readonly name = "RecoveryFailure";
}

interface Stored {
  readonly master: string;
  readonly selfSigning: string;
  readonly userSigning: string | null;
  readonly backup: string | null;
}

/** @returns what lies in the account's secret storage, opened. @throws {RecoveryFailure} */
export async function openStorage(home: Home, user: string, recoveryKey: string): Promise<Stored> {
  let key: Uint8Array<ArrayBuffer>;
  try {
    key = Uint8Array.from(decodeRecoveryKey(recoveryKey.trim()));
  } catch {
    throw new RecoveryFailure("the recovery key is none: it is 48 letters and digits in groups of four");
  }
  const path = (type: string): string => `client/v3/user/${part(user)}/account_data/${part(type)}`;
  const storage = new ServerSideSecretStorageImpl(
    Object.assign(new TypedEventEmitter(), {
      // The SDK's types name what each kind of account data holds; what a homeserver gives is anything.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      getAccountDataFromServer: async (type: string) => (await home.find({ method: "GET", path: path(type) })) as never,
      setAccountData: async (): Promise<never> => {
        throw new RecoveryFailure("nothing is written to the secret storage");
      },
    }),
    {
      getSecretStorageKey: async ({ keys }) => {
        for (const [id, info] of Object.entries(keys)) if (await storage.checkKey(key, info)) return [id, key];
        return null;
      },
    },
  );
  const read = async (name: Parameters<typeof storage.get>[0]): Promise<string | null> =>
    (await storage.get(name)) ?? null;
  let master: string | null;
  let selfSigning: string | null;
  let userSigning: string | null;
  let backup: string | null;
  try {
    master = await read("m.cross_signing.master");
    selfSigning = await read("m.cross_signing.self_signing");
    userSigning = await read("m.cross_signing.user_signing").catch(() => null);
    backup = await read("m.megolm_backup.v1").catch(() => null);
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new RecoveryFailure("the recovery key does not open this account's secret storage", { cause: error });
  }
  if (master === null || selfSigning === null)
    throw new RecoveryFailure(
      "this account has no secret storage: set up secure backup for it in another Matrix program, and take the recovery key that it gives",
    );
  return { master, selfSigning, userSigning, backup };
}

/** Signs our own device with the account's keys, where that is not done yet. @throws {RecoveryFailure} */
export async function verifyDevice(encryption: Encryption, own: OwnDevice, stored: Stored): Promise<void> {
  const { machine } = encryption;
  if ((await encryption.ownDevice()) === undefined)
    throw new RecoveryFailure("the homeserver does not show the keys of this device");
  const status = await machine.importCrossSigningKeys(stored.master, stored.selfSigning, stored.userSigning);
  if (!status.hasMaster || !status.hasSelfSigning)
    throw new RecoveryFailure("the keys in the secret storage are not those of this account any more");
  const identity = await machine.getIdentity(new UserId(own.user));
  const device = await encryption.ownDevice();
  if (identity === undefined || device === undefined)
    throw new RecoveryFailure("the homeserver does not show the keys of this account");
  if (!device.isCrossSignedByOwner()) await encryption.send(await device.verify());
}

/** The backup of message keys: what is not here is looked for there, and what came is put there. */
export class Backup {
  readonly #home: Home;
  readonly #encryption: Encryption;
  readonly #key: BackupDecryptionKey;
  readonly #version: string;
  #writing: Promise<void> = Promise.resolve();

  private constructor(home: Home, encryption: Encryption, key: BackupDecryptionKey, version: string) {
    this.#home = home;
    this.#encryption = encryption;
    this.#key = key;
    this.#version = version;
  }

  /** @returns null where the account has none, or one that this key does not open. */
  static async open(home: Home, encryption: Encryption, key: string | null): Promise<Backup | null> {
    if (key === null) return null;
    const answer = Version.safeParse(await home.find({ method: "GET", path: "client/v3/room_keys/version" })).data;
    if (answer === undefined) return null;
    const opened = BackupDecryptionKey.fromBase64(key);
    // A backup that somebody else made would hand our keys to them.
    if (opened.megolmV1PublicKey.publicKeyBase64 !== answer.auth_data.public_key) return null;
    await encryption.machine.saveBackupDecryptionKey(BackupDecryptionKey.fromBase64(key), answer.version);
    await encryption.machine.enableBackupV1(answer.auth_data.public_key, answer.version);
    return new Backup(home, encryption, opened, answer.version);
  }

  /** Looks for the key of a session. @returns whether it was there and is here now. */
  async fetch(room: string, session: string): Promise<boolean> {
    const path = `client/v3/room_keys/keys/${part(room)}/${part(session)}`;
    const answer = Session.safeParse(await this.#home.find({ method: "GET", path, query: { version: this.#version } }));
    if (!answer.success) return false;
    const { ephemeral, mac, ciphertext } = answer.data.session_data;
    let opened: unknown;
    try {
      opened = JSON.parse(this.#key.decryptV1(ephemeral, mac, ciphertext)) as unknown;
    } catch {
      return false;
    }
    const keys = new Map([[new RoomId(room), new Map([[session, opened]])]]);
    const result = await this.#encryption.machine.importBackedUpRoomKeys(keys, () => undefined, this.#version);
    return result.importedCount > 0;
  }

  /** Puts there what is not there yet. What fails now is put there with the next. */
  async write(): Promise<void> {
    this.#writing = this.#writing.then(async () => await this.#rounds().catch(() => undefined));
    await this.#writing;
  }

  async #rounds(): Promise<void> {
    for (let round = 0; round < MAX_BACKUP_ROUNDS; round++) {
      const request: KeysBackupRequest | undefined = await this.#encryption.machine.backupRoomKeys();
      if (request === undefined) return;
      await this.#encryption.send(request);
    }
  }
}
