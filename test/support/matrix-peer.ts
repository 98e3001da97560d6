import {
  DecryptionSettings,
  DeviceId,
  DeviceLists,
  EncryptionSettings,
  initAsync,
  OlmMachine,
  RequestType,
  RoomId,
  ToDeviceRequest,
  TrustRequirement,
  UserId,
} from "@matrix-org/matrix-sdk-crypto-wasm";
import * as z from "zod/mini";
import type { Login, MatrixHome } from "./matrix-home.ts";

/** A person who talks encrypted and fast, in the process of the homeserver: for loads. Whether another program understands what we say is tried with
 *  one that is not ours: {@link NioPeer}. */

type Outgoing = Awaited<ReturnType<OlmMachine["outgoingRequests"]>>[number] | ToDeviceRequest;

const Synced = z.object({
  next_batch: z.string(),
  to_device: z.object({ events: z.array(z.unknown()) }),
  device_lists: z.object({ changed: z.array(z.string()) }),
  device_one_time_keys_count: z.record(z.string(), z.number()),
  rooms: z.object({ join: z.record(z.string(), z.object({ timeline: z.object({ events: z.array(z.unknown()) }) })) }),
});
const Event = z.object({ type: z.string(), sender: z.string() });
const Words = z.object({ content: z.object({ body: z.string() }) });

export class MatrixPeer implements AsyncDisposable {
  readonly #home: MatrixHome;
  readonly #login: Login;
  readonly #machine: OlmMachine;
  /** What others wrote, in the order in which it was opened. */
  readonly heard: { readonly text: string }[] = [];
  #since: string | null = null;
  #over = false;
  #saying: Promise<void> = Promise.resolve();

  private constructor(home: MatrixHome, login: Login, machine: OlmMachine) {
    this.#home = home;
    this.#login = login;
    this.#machine = machine;
  }

  static async start(home: MatrixHome, user: string): Promise<MatrixPeer> {
    await initAsync();
    const login = { user, device: "PEER" };
    const machine = await OlmMachine.initialize(new UserId(user), new DeviceId(login.device));
    const peer = new MatrixPeer(home, login, machine);
    await peer.#ask();
    void peer.#listen();
    return peer;
  }

  /** Writes in a room, one message after the other. */
  say(room: string, members: readonly string[], body: string): void {
    const before = this.#saying;
    this.#saying = this.#say(before, room, members, body);
  }

  async #say(before: Promise<void>, room: string, members: readonly string[], body: string): Promise<void> {
    await before;
    await this.#machine.updateTrackedUsers(usersOf(members));
    await this.#ask();
    const claim = await this.#machine.getMissingSessions(usersOf(members));
    if (claim !== null) await this.#send(claim);
    const shared = await this.#machine.shareRoomKey(new RoomId(room), usersOf(members), new EncryptionSettings());
    for (const request of shared) await this.#send(request);
    const words = JSON.stringify({ msgtype: "m.text", body });
    const event: unknown = JSON.parse(await this.#machine.encryptRoomEvent(new RoomId(room), "m.room.message", words));
    const content = { ...Object(event) };
    this.#home.add({ room_id: room, type: "m.room.encrypted", sender: this.#login.user, content });
  }

  async #ask(): Promise<void> {
    for (const request of await this.#machine.outgoingRequests()) await this.#send(request);
  }

  async #send(request: Outgoing): Promise<void> {
    const answer = await this.#question(
      request instanceof ToDeviceRequest ? "PUT" : "POST",
      request instanceof ToDeviceRequest
        ? `sendToDevice/${request.event_type}/${request.txn_id}`
        : pathOf(request.type),
      request.body,
    );
    if (request.id !== undefined)
      await this.#machine.markRequestAsSent(request.id, request.type, JSON.stringify(answer));
  }

  async #question(method: string, path: string, body = ""): Promise<unknown> {
    const url = new URL(`http://home/_matrix/client/v3/${path}`);
    const [status, answer] = await this.#home.reply(this.#login, method, url, Buffer.from(body));
    if (status !== 200) throw new Error(`${path}: ${status}`);
    return answer;
  }

  async #listen(): Promise<void> {
    while (!this.#over) {
      const since = this.#since === null ? "" : `&since=${this.#since}`;
      const sync = Synced.parse(await this.#question("GET", `sync?timeout=500${since}`));
      const first = this.#since === null;
      this.#since = sync.next_batch;
      await this.#machine.receiveSyncChanges(
        JSON.stringify(sync.to_device.events),
        new DeviceLists(sync.device_lists.changed.map((one) => new UserId(one))),
        new Map(Object.entries(sync.device_one_time_keys_count)),
      );
      await this.#ask();
      if (first) continue;
      for (const [room, { timeline }] of Object.entries(sync.rooms.join))
        for (const event of timeline.events) await this.#hear(room, event);
    }
    this.#machine.close();
  }

  async #hear(room: string, event: unknown): Promise<void> {
    const { type, sender } = Event.parse(event);
    if (type !== "m.room.encrypted" || sender === this.#login.user) return;
    const json = JSON.stringify({ ...Object(event), room_id: room });
    const settings = new DecryptionSettings(TrustRequirement.Untrusted);
    const opened = await this.#machine.decryptRoomEvent(json, new RoomId(room), settings);
    this.heard.push({ text: Words.parse(JSON.parse(opened.event)).content.body });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over = true;
    await this.#saying.catch(() => undefined);
  }
}

function pathOf(type: RequestType): string {
  if (type === RequestType.KeysUpload) return "keys/upload";
  if (type === RequestType.KeysClaim) return "keys/claim";
  return "keys/query";
}

/** Names are taken by whoever is given them. */
function usersOf(names: readonly string[]): UserId[] {
  return names.map((one) => new UserId(one));
}
