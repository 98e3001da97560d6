import { createHash } from "node:crypto";
import {
  type Device,
  CollectStrategy,
  DecryptionErrorCode,
  DecryptionSettings,
  DeviceId,
  DeviceLists,
  EncryptionAlgorithm,
  EncryptionSettings,
  initAsync,
  KeysBackupRequest,
  type KeysClaimRequest,
  type KeysQueryRequest,
  type KeysUploadRequest,
  LoggerLevel,
  MegolmDecryptionError,
  OlmMachine,
  RequestType,
  RoomId,
  RoomMessageRequest,
  RoomSettings,
  ShieldStateCode,
  type SignatureUploadRequest,
  StoreHandle,
  ToDeviceRequest,
  Tracing,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import * as z from "zod/mini";
import { type Home, part } from "./home.ts";
import { KeptDatabase, type Keep } from "./kept-database.ts";

/** End-to-end encryption: the SDK's machine for it, its keys kept, and its questions asked of the homeserver. */

const STORE = "wirken";
/** Rounds of questions that one answer may lead to; there are two or three. */
const MAX_ROUNDS = 4;

export interface OwnDevice {
  readonly user: string;
  readonly device: string;
}

/** What became of an encrypted event. `later`: its key is not here yet. */
export type Opened =
  | { readonly state: "opened"; readonly event: unknown; readonly doubt: string | null }
  | { readonly state: "later"; readonly why: string; readonly session: string }
  | { readonly state: "never"; readonly why: string };

type Outgoing =
  | KeysUploadRequest
  | KeysQueryRequest
  | KeysClaimRequest
  | ToDeviceRequest
  | SignatureUploadRequest
  | RoomMessageRequest
  | KeysBackupRequest;

const DeviceKeys = z.object({ keys: z.record(z.string(), z.string()) });
const Queried = z.object({ device_keys: z._default(z.record(z.string(), z.record(z.string(), z.unknown())), {}) });
const Ciphertext = z.object({
  sender: z.string(),
  content: z.object({
    algorithm: z.literal("m.megolm.v1.aes-sha2"),
    ciphertext: z.string(),
    session_id: z.string(),
  }),
});

/** The keys of this device on the homeserver are another program's. */
export class ForeignDevice extends Error {
  override readonly name = "ForeignDevice";
}

export class Encryption {
  readonly machine: OlmMachine;
  readonly #home: Home;
  readonly #own: OwnDevice;
  readonly #rooms = new Map<string, Promise<unknown>>();
  #asking: Promise<void> = Promise.resolve();

  private constructor(machine: OlmMachine, home: Home, own: OwnDevice) {
    this.machine = machine;
    this.#home = home;
    this.#own = own;
  }

  /** @param kept what was kept before. @param keys told of sessions whose keys came. @throws {ForeignDevice} */
  static async open(
    own: OwnDevice,
    home: Home,
    kept: readonly Uint8Array[],
    keep: Keep,
    keys: (sessions: readonly string[]) => void,
  ): Promise<Encryption> {
    const { database, found } = await KeptDatabase.restore(kept, `${own.user} ${own.device}`, keep);
    if (found !== "ours") await isOurs(home, own);
    database.install();
    await initAsync();
    // What it has to say goes nowhere: it names people and devices.
    if (Tracing.isAvailable()) new Tracing(LoggerLevel.Error).turnOff();
    const store = await StoreHandle.openWithKey(STORE, database.key);
    const machine = await OlmMachine.initFromStore(new UserId(own.user), new DeviceId(own.device), store);
    await database.begin();
    const encryption = new Encryption(machine, home, own);
    machine.registerRoomKeyUpdatedCallback(async (infos) => keys(infos.map(({ sessionId }) => sessionId)));
    return encryption;
  }

  close(): void {
    this.machine.close();
  }

  /** Takes in what a sync tells of keys and devices. It is kept when this resolves. */
  async receive(sync: {
    readonly events: readonly unknown[];
    readonly changed: readonly string[];
    readonly left: readonly string[];
    readonly counts: Readonly<Record<string, number>>;
    readonly unused: readonly string[] | null;
  }): Promise<void> {
    const lists = new DeviceLists(usersOf(sync.changed), usersOf(sync.left));
    await this.machine.receiveSyncChanges(
      JSON.stringify(sync.events),
      lists,
      new Map(Object.entries(sync.counts)),
      sync.unused === null ? undefined : new Set(sync.unused),
    );
  }

  /** Asks the homeserver what the machine wants to ask. @throws {Refused} or a network's error: it is asked again with the next. */
  async ask(): Promise<void> {
    const mine = this.#asking.then(async () => await this.#rounds());
    this.#asking = mine.catch(() => undefined);
    await mine;
  }

  async #rounds(): Promise<void> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const requests = await this.machine.outgoingRequests();
      if (requests.length === 0) return;
      for (const request of requests) await this.send(request);
    }
  }

  /** Whether keys that are missing are asked for with the next {@link ask}: the machine asks where another device of this account is verified, for no other
   *  would answer. */
  async asksForKeys(): Promise<boolean> {
    const requests = await this.machine.outgoingRequests();
    return requests.some((one) => one instanceof ToDeviceRequest && one.event_type === "m.room_key_request");
  }

  async send(request: Outgoing): Promise<void> {
    const answer = await this.#home.text(questionOf(request));
    if (request.id !== undefined) await this.machine.markRequestAsSent(request.id, request.type, answer);
  }

  /** @param members everybody who is to read it. @returns the content of an `m.room.encrypted` event. */
  async encrypt(room: string, type: string, content: object, members: readonly string[]): Promise<string> {
    return await this.#inTurn(room, async () => {
      await this.machine.updateTrackedUsers(usersOf(members));
      await this.ask();
      const claim = await this.machine.getMissingSessions(usersOf(members));
      if (claim !== null) await this.send(claim);
      const settings = await this.#settings(room);
      // The key of a room is made anew when it was used for long enough: so it is asked for each time.
      for (const request of await this.machine.shareRoomKey(new RoomId(room), usersOf(members), settings))
        await this.send(request);
      return await this.machine.encryptRoomEvent(new RoomId(room), type, JSON.stringify(content));
    });
  }

  async #settings(room: string): Promise<EncryptionSettings> {
    const kept = await this.#roomSettings(room);
    const settings = new EncryptionSettings();
    settings.algorithm = EncryptionAlgorithm.MegolmV1AesSha2;
    settings.sharingStrategy = CollectStrategy.allDevices();
    if (kept?.sessionRotationPeriodMessages !== undefined)
      settings.rotationPeriodMessages = BigInt(kept.sessionRotationPeriodMessages);
    if (kept?.sessionRotationPeriodMs !== undefined)
      settings.rotationPeriod = BigInt(kept.sessionRotationPeriodMs) * 1_000n;
    return settings;
  }

  async #roomSettings(room: string): Promise<RoomSettings | undefined> {
    return await this.machine.getRoomSettings(new RoomId(room));
  }

  /** Whether a room was ever encrypted, as far as we know: what its state says later changes nothing. */
  async wasEncrypted(room: string): Promise<boolean> {
    return (await this.#roomSettings(room)) !== undefined;
  }

  /** A room is encrypted from now on, for good. */
  async turnedOn(
    room: string,
    content: { readonly messages: number | null; readonly ms: number | null },
  ): Promise<void> {
    if (await this.wasEncrypted(room)) return;
    const settings = new RoomSettings();
    settings.algorithm = EncryptionAlgorithm.MegolmV1AesSha2;
    settings.sessionRotationPeriodMessages = content.messages ?? undefined;
    settings.sessionRotationPeriodMs = content.ms ?? undefined;
    await this.machine.setRoomSettings(new RoomId(room), settings);
  }

  /** Somebody left, or came: who is here is asked anew before the next message, and who left cannot read it. */
  async membersChanged(room: string): Promise<void> {
    await this.machine.invalidateGroupSession(new RoomId(room));
  }

  async open(event: unknown, room: string): Promise<Opened> {
    const known = Ciphertext.safeParse(event);
    if (!known.success) return { state: "never", why: "it is encrypted in a way that is not known here" };
    const { session_id: session } = known.data.content;
    const first = await this.#decrypt(event, room, session);
    if (first.state !== "opened" || first.doubt !== UNKNOWN_DEVICE) return first;
    // Whose device that is may only not be known yet.
    const query = this.machine.queryKeysForUsers(usersOf([known.data.sender]));
    await this.send(query);
    return await this.#decrypt(event, room, session);
  }

  async #decrypt(event: unknown, room: string, session: string): Promise<Opened> {
    try {
      const settings = new DecryptionSettings(TrustRequirement.Untrusted);
      const opened = await this.machine.decryptRoomEvent(JSON.stringify(event), new RoomId(room), settings);
      const { code } = opened.shieldState(false);
      const inside = JSON.parse(opened.event) as unknown;
      return { state: "opened", event: inside, doubt: doubtOf(code) };
    } catch (error) {
      if (!(error instanceof MegolmDecryptionError)) return { state: "never", why: "it is damaged" };
      if (error.code === DecryptionErrorCode.MissingRoomKey || error.code === DecryptionErrorCode.UnknownMessageIndex) {
        const withheld = error.maybe_withheld;
        return { state: "later", session, why: withheld ?? "its key has not come yet" };
      }
      return {
        state: "never",
        why:
          error.code === DecryptionErrorCode.MismatchedSender
            ? "its key is that of somebody else than its sender"
            : "it is damaged",
      };
    }
  }

  /** Our own device as the homeserver shows it. */
  async ownDevice(): Promise<Device | undefined> {
    await this.machine.updateTrackedUsers(usersOf([this.#own.user]));
    await this.ask();
    return await this.machine.getDevice(new UserId(this.#own.user), new DeviceId(this.#own.device));
  }

  async #inTurn<T>(room: string, run: () => Promise<T>): Promise<T> {
    const before = this.#rooms.get(room) ?? Promise.resolve();
    const mine = before.then(run, run);
    this.#rooms.set(room, mine);
    try {
      return await mine;
    } finally {
      if (this.#rooms.get(room) === mine) this.#rooms.delete(room);
    }
  }
}

const UNKNOWN_DEVICE = "it comes from a device that its sender does not have";

/** What speaks against taking a message for its sender's own. A device that nobody has verified is the usual case, and a key from a backup does not say
 *  who wrote with it: both are taken. */
function doubtOf(code: ShieldStateCode | undefined): string | null {
  switch (code) {
    case ShieldStateCode.MismatchedSender:
      return "its key is that of somebody else than its sender";
    case ShieldStateCode.VerificationViolation:
      return "its sender was verified once and is somebody else now";
    case ShieldStateCode.UnknownDevice:
      return UNKNOWN_DEVICE;
    default:
      return null;
  }
}

/** What names a ciphertext: the session that it is of and its place in it, which the session's signature covers. The same again under another
 *  event's id is a replay. @returns null for what is none. */
export function ciphertextId(room: string, event: unknown): string | null {
  const known = Ciphertext.safeParse(event);
  if (!known.success) return null;
  const { ciphertext, session_id: session } = known.data.content;
  const index = messageIndex(Buffer.from(ciphertext, "base64"));
  if (index === null) return null;
  return `e:${createHash("sha256")
    .update(JSON.stringify([room, session, index]))
    .digest("base64url")}`;
}

/** @see https://gitlab.matrix.org/matrix-org/olm/-/blob/master/docs/megolm.md#message-format */
function messageIndex(message: Uint8Array): number | null {
  if (message[0] !== 3 || message[1] !== 8) return null;
  let index = 0;
  for (let at = 2; at < Math.min(message.length, 7); at++) {
    const byte = message[at] ?? 0;
    index += (byte & 127) * 128 ** (at - 2);
    if (byte < 128) return index;
  }
  return null;
}

function usersOf(names: readonly string[]): UserId[] {
  const users: UserId[] = [];
  for (const name of names) {
    try {
      users.push(new UserId(name));
    } catch {
      // No name that a person can have: there are no keys of theirs either.
    }
  }
  return users;
}

/** @throws {ForeignDevice} where the homeserver has keys of this device, and we made none. */
async function isOurs(home: Home, { user, device }: OwnDevice): Promise<void> {
  const body = { device_keys: { [user]: [device] } };
  const answer = Queried.safeParse(await home.json({ method: "POST", path: "client/v3/keys/query", body }));
  const keys = answer.data?.device_keys[user]?.[device];
  if (keys !== undefined && DeviceKeys.safeParse(keys).success)
    throw new ForeignDevice(
      "this login is another program's, or its keys are lost: log in once more for Wirken alone, and run `wirken vault rotate matrix`",
    );
}

function questionOf(request: Outgoing): Parameters<Home["text"]>[0] {
  switch (request.type) {
    case RequestType.KeysUpload:
      return { method: "POST", path: "client/v3/keys/upload", body: request.body };
    case RequestType.KeysQuery:
      return { method: "POST", path: "client/v3/keys/query", body: request.body };
    case RequestType.KeysClaim:
      return { method: "POST", path: "client/v3/keys/claim", body: request.body };
    case RequestType.SignatureUpload:
      return { method: "POST", path: "client/v3/keys/signatures/upload", body: request.body };
    case RequestType.KeysBackup: {
      const version = request instanceof KeysBackupRequest ? request.version : "";
      return { method: "PUT", path: "client/v3/room_keys/keys", query: { version }, body: request.body };
    }
    case RequestType.ToDevice: {
      const { event_type: type, txn_id: txn } = request instanceof ToDeviceRequest ? request : NO_EVENT;
      return { method: "PUT", path: `client/v3/sendToDevice/${part(type)}/${part(txn)}`, body: request.body };
    }
    case RequestType.RoomMessage: {
      const {
        event_type: type,
        txn_id: txn,
        room_id: room,
      } = request instanceof RoomMessageRequest ? request : NO_EVENT;
      return {
        method: "PUT",
        path: `client/v3/rooms/${part(room)}/send/${part(type)}/${part(txn)}`,
        body: request.body,
      };
    }
  }
}

const NO_EVENT = { event_type: "", txn_id: "", room_id: "" } as const;
