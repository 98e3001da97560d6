import * as z from "zod/mini";
import { type Home, part } from "./home.ts";

/** Who is in a room, and whether it is encrypted: asked when it is first needed, kept up to date by what is heard. */

/** Rooms that are remembered; the one that was not needed for longest is asked for again. */
const MAX_ROOMS = 500;

const Membership = z.enum(["join", "invite", "leave", "ban", "knock"]);
const MemberEvent = z.object({
  type: z.literal("m.room.member"),
  state_key: z.string(),
  content: z.object({
    membership: Membership,
    displayname: z.optional(z.nullable(z.string())),
    is_direct: z.optional(z.boolean()),
  }),
});
export type MemberEvent = z.infer<typeof MemberEvent>;
const Members = z.object({ chunk: z.array(z.unknown()) });
const EncryptionState = z.object({
  algorithm: z.string(),
  rotation_period_msgs: z.optional(z.int().check(z.gte(1))),
  rotation_period_ms: z.optional(z.int().check(z.gte(1))),
});

export interface Room {
  readonly id: string;
  /** Names by id of those who are here or invited. */
  readonly members: Map<string, string>;
}

/** @returns what a member's event says; null if it is none. */
export function memberOf(event: unknown): MemberEvent | null {
  return MemberEvent.safeParse(event).data ?? null;
}

export interface Lock {
  wasEncrypted(room: string): Promise<boolean>;
  turnedOn(room: string, how: { readonly messages: number | null; readonly ms: number | null }): Promise<void>;
  membersChanged(room: string): Promise<void>;
}

export class Rooms {
  readonly #home: Home;
  readonly #lock: Lock;
  readonly #known = new Map<string, Promise<Room>>();

  constructor(home: Home, lock: Lock) {
    this.#home = home;
    this.#lock = lock;
  }

  async of(id: string): Promise<Room> {
    const known = this.#known.get(id) ?? this.#read(id);
    // Behind all others: the first is then the one that was not needed for longest.
    this.#known.delete(id);
    this.#known.set(id, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_ROOMS && oldest !== undefined) this.#known.delete(oldest);
    try {
      return await known;
    } catch (error) {
      this.#known.delete(id);
      throw error;
    }
  }

  async #read(id: string): Promise<Room> {
    const path = `client/v3/rooms/${part(id)}`;
    const [answer, encryption] = await Promise.all([
      this.#home.json({ method: "GET", path: `${path}/members`, query: { not_membership: "leave" } }),
      this.#home.find({ method: "GET", path: `${path}/state/m.room.encryption/` }),
    ]);
    const room: Room = { id, members: new Map() };
    for (const event of Members.safeParse(answer).data?.chunk ?? []) apply(room, memberOf(event));
    if (encryption !== null) await this.encrypted(id, encryption);
    return room;
  }

  /** Its state says that it is encrypted. In whatever way: it is encrypted for good. */
  async encrypted(id: string, content: unknown): Promise<void> {
    const how = EncryptionState.safeParse(content).data;
    await this.#lock.turnedOn(id, { messages: how?.rotation_period_msgs ?? null, ms: how?.rotation_period_ms ?? null });
  }

  async isEncrypted(id: string): Promise<boolean> {
    await this.of(id);
    return await this.#lock.wasEncrypted(id);
  }

  /** Somebody came, went, or calls themselves by another name. */
  async member(id: string, event: MemberEvent): Promise<void> {
    const known = this.#known.get(id);
    if (known === undefined) return;
    const left = apply(await known, event);
    if (left) await this.#lock.membersChanged(id);
  }

  /** What is known of it may be old. */
  forget(id: string): void {
    this.#known.delete(id);
  }
}

/** @returns whether somebody is not here any more. */
function apply(room: Room, event: MemberEvent | null): boolean {
  if (event === null) return false;
  const { membership, displayname } = event.content;
  if (membership === "join" || membership === "invite") {
    room.members.set(event.state_key, displayname ?? event.state_key);
    return false;
  }
  return room.members.delete(event.state_key);
}

/** A conversation of two has the room's id; one of more has it behind this. When a third comes, that is another conversation: what was said between two
 *  is not theirs. */
const GROUP = "group:";

export function placeOf(room: Room): { readonly place: string; readonly talk: "direct" | "group" } {
  const direct = room.members.size <= 2;
  return direct ? { place: room.id, talk: "direct" } : { place: `${GROUP}${room.id}`, talk: "group" };
}

export function roomIn(place: string): { readonly id: string; readonly group: boolean } {
  const group = place.startsWith(GROUP);
  return { id: group ? place.slice(GROUP.length) : place, group };
}
