import { randomUUID } from "node:crypto";
import { Attachment as Sealed, EncryptedAttachment } from "@matrix-org/matrix-sdk-crypto-wasm";
import * as z from "zod/mini";
import type { ToAdapter } from "../../src/ipc/adapter-frames.ts";
import { type Attachment, type Drafting, type Edit, FileFailure, type LookUp, type Send } from "../adapter.ts";
import { SendFailure } from "../failure.ts";
import type { Draft } from "../outbox.ts";
import { handleOf } from "./convert.ts";
import type { Encryption, OwnDevice } from "./encryption.ts";
import { format, type Part } from "./format.ts";
import type { Hearing } from "./hearing.ts";
import { type Home, part, Refused, sendFailure } from "./home.ts";
import { placeOf, type Rooms, roomIn } from "./rooms.ts";

/** What we say: messages, their edits, marks and files. In a room that was ever encrypted nothing but reactions and redactions goes out in the clear. */

/** Matrix programs show "typing" for as long as they are told. */
const TYPING_MS = 20_000;
const TYPING_AGAIN_MS = 10_000;
/** A homeserver lets one account write a message every five seconds for long, and a few at once; a draft takes its part of that. */
const DRAFT_MS = 3_000;
/** Pages of a hundred messages that are looked through for one of ours. */
const MAX_PAGES = 10;

type Mark = NonNullable<Extract<ToAdapter, { type: "react" }>["mark"]>;
const MARKS: Readonly<Record<Mark, string>> = { waiting: "⏳", working: "👀", refused: "🚫" };

const Sent = z.object({ event_id: z.string().check(z.minLength(1), z.maxLength(255)) });
const Uploaded = z.object({ content_uri: z.string().check(z.startsWith("mxc://")) });
const Created = z.object({ room_id: z.string().check(z.minLength(1), z.maxLength(255)) });
const Direct = z.record(z.string(), z.array(z.string()));
const Page = z.object({
  end: z.optional(z.string()),
  chunk: z.array(
    z.object({
      event_id: z.string(),
      sender: z.string(),
      type: z.string(),
      origin_server_ts: z.int(),
      unsigned: z.optional(z.object({ transaction_id: z.optional(z.string()) })),
    }),
  ),
});

export interface SpeechParts {
  readonly own: OwnDevice;
  readonly home: Home;
  readonly encryption: Encryption;
  readonly rooms: Rooms;
  readonly hearing: Hearing;
}

export class Speech {
  readonly #now: () => SpeechParts;
  readonly #typed = new Map<string, number>();
  /** What each draft is shown by, and when that was last changed. */
  readonly #drafts = new Map<number, { readonly event: string; at: number; version: number }>();
  /** Our marks, by the message that they are on. */
  readonly #marks = new Map<string, string>();

  /** @param now what it speaks by. @throws {SendFailure} from there, while there is no connection. */
  constructor(now: () => SpeechParts) {
    this.#now = now;
  }

  get #parts(): SpeechParts {
    return this.#now();
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    const parts = format(text, message.style);
    if (parts.length === 0 && files.length === 0)
      throw new SendFailure("refused", "there is nothing in the message to show");
    const { card, place, thread } = message;
    const draft = message.draft === undefined ? undefined : this.#drafts.get(message.draft);
    if (message.draft !== undefined) this.#drafts.delete(message.draft);
    // Of one message each part has a name of its own that stays: sent twice, it is taken once.
    const key = message.key ?? randomUUID();
    const said = parts.map((one, i) => ({
      post: async (formatted: boolean): Promise<string> => {
        const content = contentOf(one, formatted);
        if (i === 0 && draft !== undefined) {
          await this.#send(place, `${key}.${i}`, replacing(draft.event, content));
          this.#parts.hearing.sent(draft.event, one.body);
          return draft.event;
        }
        const relation = relationTo(thread, i === 0 ? message.replyTo : null);
        const id = await this.#send(place, `${key}.${i}`, { ...content, ...relation });
        this.#parts.hearing.sent(id, one.body);
        if (card !== null && i === parts.length - 1) await this.#offer(place, id, card.id);
        return id;
      },
    }));
    const along = files.map((file, i) => ({
      post: async (): Promise<string> => await this.#file(place, `${key}.f${i}`, file, relationTo(thread, null)),
    }));
    if (card === null) return [...said, ...along];
    const session = card.mayRemember ? ` (for this session: approve ${card.code} session)` : "";
    const how = `Answer: approve ${card.code}${session}, or deny ${card.code} and why.`;
    const answer = {
      post: async (): Promise<string> => {
        const { id } = roomIn(place);
        const body = how + signsFor(await this.#asked(async () => await this.#parts.rooms.isEncrypted(id)));
        return await this.#send(place, `${key}.how`, {
          ...contentOf({ body, html: null }, false),
          ...relationTo(thread, null),
        });
      },
    };
    return [...said, ...along, answer];
  }

  /** A card can be decided by a sign on it: it has them already, to be pressed. */
  async #offer(place: string, event: string, card: string): Promise<void> {
    const { hearing, rooms } = this.#parts;
    hearing.card(event, card);
    const { id } = roomIn(place);
    const encrypted = await rooms.isEncrypted(id).catch(() => true);
    // That they cannot be pressed is no matter: the words are there.
    for (const sign of encrypted ? ["❌"] : ["✅", "❌"]) await this.#mark(id, event, sign).catch(() => null);
  }

  /** The last message says how to answer; the one before it is the request. */
  replace(edit: Edit, text: string): Draft[] {
    const [one, more] = format(text, "plain");
    if (one === undefined) throw new SendFailure("refused", "there is nothing in the message to show");
    if (more !== undefined)
      throw new SendFailure("too-large", "the new text has more parts than the message it replaces");
    const target = edit.ids.at(-2) ?? edit.ids.at(-1) ?? "";
    const key = randomUUID();
    return [
      {
        post: async () => {
          await this.#send(edit.place, key, replacing(target, contentOf(one, false)));
          this.#parts.hearing.decided(target);
          return target;
        },
      },
    ];
  }

  async draft({ ref, place, thread, replyTo }: Drafting, text: string): Promise<readonly string[]> {
    const [one] = format(text, "markdown");
    if (one === undefined) return [];
    const content = contentOf(one, true);
    const known = this.#drafts.get(ref);
    if (known === undefined) {
      const event = await this.#send(place, randomUUID(), { ...content, ...relationTo(thread, replyTo) });
      this.#drafts.set(ref, { event, at: performance.now(), version: 1 });
      return [event];
    }
    // What is left out now is shown with the next, or with the whole.
    if (performance.now() - known.at < DRAFT_MS) return [known.event];
    known.at = performance.now();
    known.version += 1;
    await this.#send(place, `${known.event}.${known.version}`, replacing(known.event, content));
    return [known.event];
  }

  typing(place: string): void {
    const now = performance.now();
    if (now - (this.#typed.get(place) ?? Number.NEGATIVE_INFINITY) < TYPING_AGAIN_MS) return;
    for (const [old, at] of this.#typed) if (now - at >= TYPING_AGAIN_MS) this.#typed.delete(old);
    this.#typed.set(place, now);
    const { home, own } = this.#parts;
    const path = `client/v3/rooms/${part(roomIn(place).id)}/typing/${part(own.user)}`;
    // A sign that is not seen is no message lost.
    void home.json({ method: "PUT", path, body: { typing: true, timeout: TYPING_MS } }).catch(() => undefined);
  }

  async react(place: string, message: string, mark: Mark | null): Promise<void> {
    const { id } = roomIn(place);
    const before = this.#marks.get(message);
    this.#marks.delete(message);
    if (before !== undefined) {
      const path = `client/v3/rooms/${part(id)}/redact/${part(before)}/${randomUUID()}`;
      await this.#parts.home.json({ method: "PUT", path, body: {} });
    }
    if (mark !== null) this.#marks.set(message, await this.#mark(id, message, MARKS[mark]));
  }

  async #mark(room: string, message: string, key: string): Promise<string> {
    const body = { "m.relates_to": { rel_type: "m.annotation", event_id: message, key } };
    return await this.#put(room, "m.reaction", randomUUID(), body);
  }

  async file(handle: string, limit: number): Promise<Uint8Array> {
    const known = handleOf(handle);
    const [, server = "", media = ""] = /^mxc:\/\/([^/]+)\/(.+)$/.exec(known?.url ?? "") ?? [];
    if (known === null || media === "") throw new FileFailure("gone", "that is no file of this channel");
    let bytes: Uint8Array;
    try {
      bytes = await this.#download(`${part(server)}/${part(media)}`, limit);
    } catch (error) {
      if (!(error instanceof Refused)) throw new FileFailure("unreachable", sendFailure(error).message);
      throw new FileFailure(
        error.status === 404 ? "gone" : error.status === 429 ? "unreachable" : "refused",
        error.message,
      );
    }
    if (bytes.length > limit) throw new FileFailure("too-large", `the file has over ${limit} bytes`);
    if (!("key" in known)) return bytes;
    try {
      const { url: _url, ...info } = known;
      return Sealed.decrypt(new EncryptedAttachment(bytes, JSON.stringify(info)));
    } catch {
      throw new FileFailure(
        "refused",
        "the file is not what its message says: it was changed on the way, or is damaged",
      );
    }
  }

  /** Servers of before v1.11 know no other place than the old one. */
  async #download(media: string, limit: number): Promise<Uint8Array> {
    try {
      return await this.#parts.home.download(`client/v1/media/download/${media}`, limit);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 404 || error.code !== "M_UNRECOGNIZED") throw error;
      return await this.#parts.home.download(`media/v3/download/${media}`, limit);
    }
  }

  async #file(place: string, txn: string, file: Attachment, relation: object): Promise<string> {
    return await this.#asked(async () => {
      const { home, rooms } = this.#parts;
      const info = { mimetype: file.mime, size: file.bytes.length };
      const content = {
        msgtype: kindOf(file.mime),
        body: file.name,
        filename: file.name,
        info,
        "m.mentions": {},
        ...relation,
      };
      if (!(await rooms.isEncrypted(roomIn(place).id))) {
        const url = Uploaded.parse(await home.upload(file.bytes, file.mime, file.name)).content_uri;
        return await this.#send(place, txn, { ...content, url });
      }
      const sealed = Sealed.encrypt(file.bytes);
      const about: unknown = JSON.parse(sealed.mediaEncryptionInfo ?? "{}");
      const url = Uploaded.parse(await home.upload(sealed.encryptedData, "application/octet-stream", null)).content_uri;
      return await this.#send(place, txn, { ...content, file: { ...Object(about), url } });
    });
  }

  async openDirect(user: string): Promise<string | null> {
    return await this.#asked(async () => {
      const { home, own, rooms } = this.#parts;
      const path = `client/v3/user/${part(own.user)}/account_data/m.direct`;
      const direct = Direct.safeParse(await home.find({ method: "GET", path })).data ?? {};
      for (const id of direct[user] ?? []) {
        const room = await rooms.of(id).catch(() => null);
        if (room !== null && room.members.has(user) && placeOf(room).talk === "direct") return room.id;
      }
      const state = [{ type: "m.room.encryption", state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }];
      const body = { is_direct: true, invite: [user], preset: "trusted_private_chat", initial_state: state };
      const { room_id: id } = Created.parse(await home.json({ method: "POST", path: "client/v3/createRoom", body }));
      await rooms.encrypted(id, state[0]?.content);
      // It is a direct conversation all the same.
      await this.reachedAt(user, id).catch(() => null);
      return id;
    });
  }

  /** Somebody is reached alone in that room: other programs of this account find it by that, and so do we. */
  async reachedAt(user: string, room: string): Promise<void> {
    const { home, own } = this.#parts;
    const path = `client/v3/user/${part(own.user)}/account_data/m.direct`;
    const direct = Direct.safeParse(await home.find({ method: "GET", path })).data ?? {};
    const rooms = direct[user] ?? [];
    if (!rooms.includes(room)) await home.json({ method: "PUT", path, body: { ...direct, [user]: [...rooms, room] } });
  }

  async lookUp({
    place,
    key,
    since,
  }: LookUp): Promise<{ readonly outcome: "sent" | "absent" | "unknown"; readonly ids: string[] }> {
    const { home, own } = this.#parts;
    const path = `client/v3/rooms/${part(roomIn(place).id)}/messages`;
    const ids: string[] = [];
    let from: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const query = { dir: "b", limit: "100", ...(from === null ? {} : { from }) };
      const { chunk, end } = Page.parse(await home.json({ method: "GET", path, query }));
      for (const event of chunk)
        if (event.sender === own.user && event.unsigned?.transaction_id?.startsWith(`${key}.`) === true)
          ids.unshift(event.event_id);
      // Some minutes before: the homeserver's clock is not ours.
      const past = chunk.some((event) => event.origin_server_ts < since - 300_000);
      if (end === undefined || past || chunk.length === 0) return { outcome: ids.length > 0 ? "sent" : "absent", ids };
      from = end;
    }
    return { outcome: ids.length > 0 ? "sent" : "unknown", ids };
  }

  /** A sentence of ours to whoever pressed something. */
  async tell(room: string, user: string, sentence: string): Promise<void> {
    const content = { ...contentOf({ body: sentence, html: null }, false), "m.mentions": { user_ids: [user] } };
    const known = await this.#parts.rooms.of(room);
    await this.#send(placeOf(known).place, randomUUID(), content);
  }

  /** @returns the event's id. @throws {SendFailure} */
  async #send(place: string, txn: string, content: object): Promise<string> {
    return await this.#asked(async () => {
      const { encryption, rooms } = this.#parts;
      const { id, group } = roomIn(place);
      const room = await rooms.of(id);
      // What is said to one person is not said to whoever came since.
      if (!group && placeOf(room).talk === "group")
        throw new SendFailure(
          "refused",
          "others have come into this room since: what is for one person is not said there",
        );
      if (!(await rooms.isEncrypted(id))) return await this.#put(id, "m.room.message", txn, content);
      const sealed = await encryption.encrypt(id, "m.room.message", content, [...room.members.keys()]);
      return await this.#put(id, "m.room.encrypted", txn, sealed);
    });
  }

  async #put(room: string, type: string, txn: string, content: object | string): Promise<string> {
    const path = `client/v3/rooms/${part(room)}/send/${part(type)}/${part(txn)}`;
    return Sent.parse(await this.#parts.home.json({ method: "PUT", path, body: content })).event_id;
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      throw sendFailure(error);
    }
  }
}

/** `m.text` and not `m.notice`: telephones do not tell of notices, and a request to approve something must be seen. Nobody is mentioned by what a text says. */
function contentOf(one: Part, formatted: boolean): object {
  const html = formatted && one.html !== null ? { format: "org.matrix.custom.html", formatted_body: one.html } : {};
  return { msgtype: "m.text", body: one.body, ...html, "m.mentions": {} };
}

/** What stands under a card beside the words that decide it. */
function signsFor(encrypted: boolean): string {
  return encrypted ? " A ❌ on the request counts too." : " A ✅ or ❌ on the request counts too.";
}

function replacing(event: string, content: object): object {
  const old = "body" in content ? { ...content, body: `* ${String(content.body)}` } : content;
  return { ...old, "m.new_content": content, "m.relates_to": { rel_type: "m.replace", event_id: event } };
}

function relationTo(thread: string | null, replyTo: string | null): object {
  if (thread === null) return replyTo === null ? {} : { "m.relates_to": { "m.in_reply_to": { event_id: replyTo } } };
  return {
    "m.relates_to": {
      rel_type: "m.thread",
      event_id: thread,
      is_falling_back: replyTo === null,
      "m.in_reply_to": { event_id: replyTo ?? thread },
    },
  };
}

function kindOf(mime: string): string {
  const [kind = ""] = mime.split("/", 1);
  return kind === "image" || kind === "audio" || kind === "video" ? `m.${kind}` : "m.file";
}
