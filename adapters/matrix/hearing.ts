import * as z from "zod/mini";
import { type Host, shortened } from "../adapter.ts";
import { convert, decisionOf, type Envelope, envelopeOf, referencesOf } from "./convert.ts";
import { ciphertextId, type Encryption, type OwnDevice } from "./encryption.ts";
import { type Home, part, Refused } from "./home.ts";
import type { Backup } from "./recovery.ts";
import { memberOf, placeOf, type Room, type Rooms } from "./rooms.ts";

/** Events of rooms, heard: opened, converted and told, in the order of their room. */

/** Messages that wait for their key; the oldest is given up. As many as a cursor holds with the longest ids. */
const MAX_UNREAD = 48;
/** Messages that an answer may refer to are remembered; others are asked for. */
const MAX_SEEN = 512;
/** Names of messages that were told, so that one that comes again is not told again while this process lives. */
const MAX_TOLD = 4_096;
/** Cards that a reaction can decide, also after a restart: the oldest are forgotten. More do not wait at once, and a cursor has room for these. */
const MAX_CARDS = 64;

interface Unread {
  readonly room: string;
  readonly event: unknown;
  readonly session: string;
}

interface Seen {
  readonly sender: string;
  readonly text: string;
}

export interface HearingParts {
  readonly own: OwnDevice;
  readonly home: Home;
  readonly encryption: Encryption;
  readonly backup: Backup | null;
  readonly rooms: Rooms;
  readonly host: Host;
  /** Says something to somebody who pressed, where the card is. */
  readonly tell: (room: string, user: string, sentence: string) => void;
  /** A room goes on as another one. */
  readonly follow: (room: string, next: string, via: string) => Promise<void>;
  /** What is unread changed. */
  readonly changed: () => void;
}

const Tombstone = z.object({ replacement_room: z.string().check(z.minLength(1), z.maxLength(255)) });
const Body = z.object({ body: z.string() });

export class Hearing {
  readonly #parts: HearingParts;
  readonly #unread = new Map<string, Unread>();
  readonly #seen = new Map<string, Seen>();
  readonly #cards: Map<string, string>;
  readonly #told = new Set<string>();
  #late: Promise<void> = Promise.resolve();

  /** @param cards those of a run before, by the message that shows each. */
  constructor(parts: HearingParts, cards: readonly (readonly [message: string, card: string])[]) {
    this.#parts = parts;
    this.#cards = new Map(cards);
  }

  get cards(): (readonly [message: string, card: string])[] {
    return [...this.#cards];
  }

  get unread(): (readonly [room: string, event: string])[] {
    return [...this.#unread].map(([event, { room }]) => [room, event] as const);
  }

  /** A message of ours: what answers it is for us. */
  sent(event: string, text: string): void {
    this.#remember(event, { sender: this.#parts.own.user, text });
  }

  /** A message of ours that shows a card. */
  card(event: string, card: string): void {
    this.#cards.set(event, card);
    const [oldest] = this.#cards.keys();
    if (this.#cards.size > MAX_CARDS && oldest !== undefined) this.#cards.delete(oldest);
    this.#parts.changed();
  }

  decided(event: string): void {
    if (this.#cards.delete(event)) this.#parts.changed();
  }

  /** Tells what came in a room. @returns what resolves once all of it is on the log. @throws what a homeserver or network says: then it is heard again. */
  async hear(room: string, events: readonly unknown[]): Promise<Promise<void>[]> {
    const told: Promise<void>[] = [];
    for (const raw of events) {
      const event = envelopeOf(raw);
      if (event !== null) told.push(...(await this.#event(room, event, raw)));
    }
    return told;
  }

  async #event(room: string, event: Envelope, raw: unknown): Promise<Promise<void>[]> {
    const { rooms, own } = this.#parts;
    if (event.state_key !== undefined) {
      await this.#state(room, event, raw);
      return [];
    }
    if (event.type === "m.room.encrypted") return await this.#encrypted(room, event, raw);
    if (event.sender === own.user) return [];
    const plain = event.type === "m.room.message" || event.type === "m.sticker";
    if (plain && (await rooms.isEncrypted(room))) {
      await this.#notice("degraded", room, "a message came unencrypted in an encrypted room and was not taken");
      return [];
    }
    return await this.#tell(room, event, event.event_id, false);
  }

  async #state(room: string, event: Envelope, raw: unknown): Promise<void> {
    const { rooms, own, follow } = this.#parts;
    const member = memberOf(raw);
    if (member !== null && member.state_key !== own.user) await rooms.member(room, member);
    else if (event.type === "m.room.encryption") await rooms.encrypted(room, event.content);
    else if (event.type === "m.room.tombstone") {
      const next = Tombstone.safeParse(event.content).data?.replacement_room;
      if (next !== undefined) await follow(room, next, event.sender.replace(/^[^:]*:/, ""));
    }
  }

  async #encrypted(room: string, event: Envelope, raw: unknown): Promise<Promise<void>[]> {
    const { own, encryption, backup } = this.#parts;
    if (event.sender === own.user) return [];
    let opened = await encryption.open(withRoom(raw, room), room);
    if (opened.state === "later" && (await backup?.fetch(room, opened.session).catch(() => false)) === true)
      opened = await encryption.open(withRoom(raw, room), room);
    switch (opened.state) {
      case "later":
        this.#wait(room, event.event_id, raw, opened.session);
        await this.#notice(
          "undecryptable",
          room,
          `a message cannot be read: ${opened.why}; it is told when that comes, and ${
            (await encryption.asksForKeys())
              ? "this account's other devices are asked for it"
              : "no other device of this account can be asked for it: none is verified, which takes the recovery key"
          }`,
        );
        return [];
      case "never":
        await this.#notice("undecryptable", room, `a message cannot be read: ${opened.why}`);
        return [];
      case "opened":
        return await this.#opened(room, event, raw, opened);
    }
  }

  async #opened(
    room: string,
    event: Envelope,
    raw: unknown,
    opened: { readonly event: unknown; readonly doubt: string | null },
  ): Promise<Promise<void>[]> {
    if (opened.doubt !== null) {
      await this.#notice("degraded", room, `a message was not taken: ${opened.doubt}`);
      return [];
    }
    const inside = envelopeOf(opened.event);
    const dedupe = ciphertextId(room, raw);
    // Of an encrypted state event nothing is taken for the room's state.
    if (inside === null || dedupe === null || inside.state_key !== undefined) return [];
    return await this.#tell(room, { ...inside, event_id: event.event_id, sender: event.sender }, dedupe, true);
  }

  async #tell(id: string, event: Envelope, dedupe: string, encrypted: boolean): Promise<Promise<void>[]> {
    const { own, rooms, host } = this.#parts;
    if (this.#told.has(dedupe)) return [];
    const room = await rooms.of(id);
    const { place, talk } = placeOf(room);
    const { reply, thread } = referencesOf(event);
    const ownName = room.members.get(own.user) ?? "";
    const replied = reply === null ? null : await this.#find(id, reply);
    const ownThread = talk === "group" && thread !== null && (await this.#find(id, thread))?.sender === own.user;
    const heard = convert(event, { own: own.user, ownName, place, talk, dedupe, replied, ownThread });
    const senderName = shortened(room.members.get(event.sender) ?? event.sender);
    this.#told.add(dedupe);
    const [oldest] = this.#told;
    if (this.#told.size > MAX_TOLD && oldest !== undefined) this.#told.delete(oldest);
    switch (heard.kind) {
      case "nothing":
        return [];
      case "inbound":
        this.#remember(event.event_id, { sender: event.sender, text: heard.text });
        return [host.inbound(heard.message, senderName, heard.text)];
      case "changed":
        return [host.changed(heard.change, heard.text)];
      case "reaction":
        return await this.#press(room, heard, senderName, encrypted);
    }
  }

  async #press(
    room: Room,
    heard: Extract<ReturnType<typeof convert>, { kind: "reaction" }>,
    senderName: string,
    encrypted: boolean,
  ): Promise<Promise<void>[]> {
    const { rooms, host, tell } = this.#parts;
    const card = this.#cards.get(heard.target);
    const decision = decisionOf(heard.key);
    if (card === undefined || decision === null) return [];
    // Programs send reactions unencrypted: where nobody trusts the homeserver with words, it must not be able to make up a yes. A no it may have.
    if (decision === "approve" && !encrypted && (await rooms.isEncrypted(room.id))) {
      tell(
        room.id,
        heard.press.sender,
        "This room is encrypted, and a reaction is not: the homeserver could have made it up. Answer with the words instead.",
      );
      return [];
    }
    return [
      host.pressed({ ...heard.press, senderName, card, decision }, (sentence) =>
        tell(room.id, heard.press.sender, sentence),
      ),
    ];
  }

  #wait(room: string, id: string, event: unknown, session: string): void {
    this.#unread.set(id, { room, event, session });
    const [oldest] = this.#unread.keys();
    if (this.#unread.size > MAX_UNREAD && oldest !== undefined) {
      const given = this.#unread.get(oldest);
      this.#unread.delete(oldest);
      if (given !== undefined)
        void this.#notice("undecryptable", given.room, "a message whose key never came is not waited for any longer");
    }
  }

  /** Messages of before a restart that could not be read then. */
  async again(unread: readonly (readonly [room: string, event: string])[]): Promise<void> {
    for (const [room, id] of unread) {
      const path = `client/v3/rooms/${part(room)}/event/${part(id)}`;
      const raw = await this.#parts.home.find({ method: "GET", path }).catch((error: unknown) => {
        if (error instanceof Refused && error.status === 403) return null;
        throw error;
      });
      const event = envelopeOf(raw);
      if (event?.event_id !== id || event.type !== "m.room.encrypted") continue;
      await Promise.all(await this.#event(room, event, raw));
    }
  }

  /** Keys came: what waited for them is told, in the order in which it was heard. */
  keysCame(sessions: readonly string[]): void {
    this.#late = this.#late.then(async () => await this.#catchUp(new Set(sessions))).catch(() => undefined);
  }

  async #catchUp(sessions: ReadonlySet<string>): Promise<void> {
    for (const [id, { room, event: raw, session }] of this.#unread) {
      if (!sessions.has(session)) continue;
      const event = envelopeOf(raw);
      const opened = await this.#parts.encryption.open(withRoom(raw, room), room);
      if (opened.state === "later" || event === null) continue;
      this.#unread.delete(id);
      if (opened.state === "opened") await Promise.all(await this.#opened(room, event, raw, opened));
      this.#parts.changed();
    }
  }

  /** A message that is referred to. @returns null where it cannot be had. */
  async #find(room: string, id: string): Promise<Seen | null> {
    const known = this.#seen.get(id);
    if (known !== undefined) return known;
    const { home, encryption } = this.#parts;
    try {
      const raw = await home.json({ method: "GET", path: `client/v3/rooms/${part(room)}/event/${part(id)}` });
      const event = envelopeOf(raw);
      if (event?.event_id !== id) return null;
      const found = { sender: event.sender, text: Body.safeParse(event.content).data?.body ?? "" };
      if (event.type === "m.room.encrypted") {
        const opened = await encryption.open(withRoom(raw, room), room);
        const inside = opened.state === "opened" && opened.doubt === null ? envelopeOf(opened.event) : null;
        // Whose words they are is said by who could encrypt them.
        if (inside === null) return null;
        found.text = Body.safeParse(inside.content).data?.body ?? "";
      } else if (await this.#parts.rooms.isEncrypted(room)) return null;
      this.#remember(id, found);
      return found;
    } catch {
      return null;
    }
  }

  #remember(id: string, seen: Seen): void {
    this.#seen.set(id, { ...seen, text: seen.text.slice(0, 2_048) });
    const [oldest] = this.#seen.keys();
    if (this.#seen.size > MAX_SEEN && oldest !== undefined) this.#seen.delete(oldest);
  }

  /** @param sentence names nobody: who wrote, and where, is not for a log that outlives them. */
  async #notice(about: "undecryptable" | "degraded", room: string, sentence: string): Promise<void> {
    const place = await this.#parts.rooms.of(room).then(placeOf, () => ({ place: room }));
    this.#parts.host.notice({ about, place: place.place, from: null, to: null }, sentence);
  }
}

/** Events of a sync do not say what room they are of; where one does, it must be this. */
function withRoom(event: unknown, room: string): unknown {
  return typeof event === "object" && event !== null ? { ...event, room_id: room } : event;
}
