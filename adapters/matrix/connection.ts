import * as z from "zod/mini";
import type { Attachment, Connection, Credentials, Drafting, Edit, Host, LookUp, Send, Start } from "../adapter.ts";
import { baseOf } from "../ask.ts";
import { SendFailure } from "../failure.ts";
import type { Draft } from "../outbox.ts";
import { Encryption, ForeignDevice, type OwnDevice } from "./encryption.ts";
import { Hearing } from "./hearing.ts";
import { Garbled, Home, part, pause, Refused, troubleWith } from "./home.ts";
import { Backup, openStorage, RecoveryFailure, verifyDevice } from "./recovery.ts";
import { memberOf, placeOf, Rooms } from "./rooms.ts";
import { Speech } from "./speech.ts";
import { type Cursor, decodeCursor, encodeCursor, FILTER, type Joined, type Sync, syncOf } from "./sync.ts";

/** Milliseconds that the homeserver holds an empty answer back. */
const POLL_MS = 30_000;
const FIRST_BACKOFF_MS = 1_000;
const LAST_BACKOFF_MS = 30_000;
/** A server that does not hold answers back is asked this often at most. */
const QUICK_POLL_MS = 250;
/** What was missed in one room is read back so far: pages of a hundred. */
const MAX_GAP_PAGES = 10;
/** Invitations of strangers that are taken within a day: as many codes as may wait to be approved. */
const MAX_STRANGERS = 20;
const DAY_MS = 86_400_000;
/** Invitations to groups that wait for whoever invited to be paired, and how often that is looked at. */
const MAX_INVITED = 20;
const RECONSIDER_MS = 30_000;

/** @see https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3accountwhoami */
const WhoAmI = z.object({ user_id: z.string(), device_id: z.string() });
const Page = z.object({ chunk: z.array(z.unknown()), end: z.optional(z.string()) });
const Stamp = z.object({ origin_server_ts: z.int().check(z.gte(0)) });
const Create = z.object({ predecessor: z.optional(z.object({ room_id: z.string() })) });

/** All that there is once the homeserver said who we are. */
interface Line {
  readonly own: OwnDevice;
  readonly home: Home;
  readonly encryption: Encryption;
  readonly backup: Backup | null;
  readonly rooms: Rooms;
  readonly hearing: Hearing;
}

const LOGGED_OUT =
  "the homeserver does not know this login any more: log in once more for Wirken alone, and run `wirken vault rotate matrix`";

/** Talks with a homeserver: a loop of our own over `/sync`, so that nothing counts as heard before it is on the log and its keys are kept. */
export class MatrixConnection implements Connection {
  readonly #credentials: Credentials;
  readonly #start: Start;
  readonly #host: Host;
  readonly #kept: readonly Uint8Array[];
  readonly #reconsiderMs: number;
  readonly #stopping = new AbortController();
  /** Ends what waits: a poll, or a pause before the next try. */
  #waking = new AbortController();
  readonly #speech = new Speech(() => this.#connectedLine());
  #home: Home | null = null;
  #line: Line | null = null;
  #cursor: Cursor;
  #resumed = false;
  #connected = false;
  readonly #strangers: number[] = [];
  /** When invitations that wait were looked at last. */
  #considered = Number.NEGATIVE_INFINITY;

  /** @param reconsiderMs how often it is asked whether who invited was paired since. */
  constructor(
    credentials: Credentials,
    start: Start,
    host: Host,
    kept: readonly Uint8Array[],
    reconsiderMs = RECONSIDER_MS,
  ) {
    this.#reconsiderMs = reconsiderMs;
    this.#credentials = credentials;
    this.#start = start;
    this.#host = host;
    this.#kept = kept;
    this.#cursor = decodeCursor(start.cursor) ?? { since: "", unread: [], invited: [], cards: [] };
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waking.abort();
  }

  wake(): void {
    this.#waking.abort();
    this.#waking = new AbortController();
  }

  adopt(credentials: Credentials): void {
    this.#home?.use((credentials.get("access-token") ?? "").trim());
    const line = this.#line;
    if (line !== null && this.#connected) this.#host.state("connected", line.own.user);
    this.wake();
  }

  async #run(): Promise<void> {
    const home = baseOf(this.#start.apiRoot ?? (this.#credentials.get("homeserver") ?? "").trim());
    if ("sentence" in home) {
      this.#host.state("refused", null, home.sentence);
      return;
    }
    this.#home = new Home(home.base, (this.#credentials.get("access-token") ?? "").trim());
    let backoff = FIRST_BACKOFF_MS;
    while (!this.#stopping.signal.aborted) {
      const { signal } = this.#waking;
      try {
        this.#line ??= await this.#introduce(this.#home);
        await this.#poll(this.#home, this.#line, signal);
        backoff = FIRST_BACKOFF_MS;
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        // Woken: at once again.
        if (signal.aborted) continue;
        const again = await this.#trouble(error);
        if (again === "never") return;
        if (again === "now") continue;
        await pause(Math.max(backoff, again), signal);
        backoff = Math.min(backoff * 2, LAST_BACKOFF_MS);
      }
    }
  }

  /** @returns milliseconds to wait at least before the next try. */
  async #trouble(error: unknown): Promise<number | "now" | "never"> {
    const account = this.#line?.own.user ?? null;
    this.#connected = false;
    if (error instanceof ForeignDevice) {
      this.#host.state("refused", account, error.message);
      return "never";
    }
    if (error instanceof Refused && error.isToken) {
      if (await this.#host.renew()) return "now";
      this.#host.state("refused", account, LOGGED_OUT);
      return "never";
    }
    if (error instanceof Refused && (error.code === "M_USER_DEACTIVATED" || error.code === "M_USER_SUSPENDED")) {
      this.#host.state("refused", account, `${error.message}: nothing can be done with this account`);
      return "never";
    }
    const known = error instanceof Refused || error instanceof Garbled || error instanceof Error;
    this.#host.state("reconnecting", account, known ? troubleWith(error) : "an error of ours");
    return error instanceof Refused ? (error.waitMs ?? 0) : 0;
  }

  async #introduce(home: Home): Promise<Line> {
    const who = WhoAmI.safeParse(await home.json({ method: "GET", path: "client/v3/account/whoami" })).data;
    if (who === undefined) throw new Garbled("the homeserver does not say what device this token is of");
    const own = { user: who.user_id, device: who.device_id };
    const encryption = await Encryption.open(
      own,
      home,
      this.#kept,
      async (record, replaces) => await this.#host.store(record, replaces),
      (sessions) => {
        this.#line?.hearing.keysCame(sessions);
        void this.#line?.backup?.write();
      },
    );
    let backup: Backup | null;
    try {
      await encryption.ask();
      backup = await this.#recover(home, encryption, own);
    } catch (error) {
      // The next try opens what is kept by then.
      encryption.close();
      throw error;
    }
    const rooms = new Rooms(home, encryption);
    const hearing = new Hearing(
      {
        own,
        home,
        encryption,
        backup,
        rooms,
        host: this.#host,
        tell: (room, user, sentence) => void this.#speech.tell(room, user, sentence).catch(() => undefined),
        follow: async (room, next, via) => await this.#follow(home, rooms, room, next, via),
        changed: () => this.#save(),
      },
      this.#cursor.cards,
    );
    return { own, home, encryption, backup, rooms, hearing };
  }

  /** Our device is made known as the account's own, and the backup opened: both by the recovery key. Without one, messages are read and written all the same. */
  async #recover(home: Home, encryption: Encryption, own: OwnDevice): Promise<Backup | null> {
    const key = (this.#credentials.get("recovery-key") ?? "").trim();
    if (key === "") return null;
    try {
      const stored = await openStorage(home, own.user, key);
      await verifyDevice(encryption, own, stored);
      return await Backup.open(home, encryption, stored.backup);
    } catch (error) {
      if (!(error instanceof RecoveryFailure)) throw error;
      this.#host.notice(
        { about: "degraded", place: null, from: null, to: null },
        `this device is not verified: ${error.message}`,
      );
      return null;
    }
  }

  async #poll(home: Home, line: Line, waking: AbortSignal): Promise<void> {
    const { since, invited } = this.#cursor;
    const began = performance.now();
    const most = invited.length === 0 ? POLL_MS : Math.min(POLL_MS, this.#reconsiderMs);
    const wait = this.#connected && since !== "" ? most : 0;
    const answer = syncOf(
      await home.json({
        method: "GET",
        path: "client/v3/sync",
        query: { filter: FILTER, timeout: String(wait), ...(since === "" ? {} : { since }) },
        waitMs: wait,
        signal: AbortSignal.any([this.#stopping.signal, waking]),
      }),
    );
    if (answer === null) throw new Garbled("the homeserver's sync is none");
    if (!this.#connected) this.#host.state("connected", line.own.user);
    this.#connected = true;
    await this.#take(home, line, answer);
    if (answer.next_batch === since && performance.now() - began < QUICK_POLL_MS)
      await pause(QUICK_POLL_MS, this.#stopping.signal);
  }

  /** Takes in one answer, and goes on behind it once all of it is on the log. */
  async #take(home: Home, line: Line, sync: Sync): Promise<void> {
    const { encryption, hearing, backup } = line;
    const first = this.#cursor.since === "";
    // Keys first: what came with them is opened by them.
    await encryption.receive({
      events: sync.to_device.events,
      changed: sync.device_lists.changed,
      left: sync.device_lists.left,
      counts: sync.device_one_time_keys_count,
      unused: sync.device_unused_fallback_key_types ?? null,
    });
    await encryption.ask();
    if (!this.#resumed) await hearing.again(this.#cursor.unread);
    this.#resumed = true;
    const told: Promise<void>[] = [];
    // What was said before we were here for the first time is not said to us.
    if (!first)
      for (const [id, room] of Object.entries(sync.rooms.join))
        told.push(...(await this.#joined(home, line, id, room)));
    for (const [id, { timeline, state }] of Object.entries(sync.rooms.leave))
      await this.#left(line, id, [...state.events, ...timeline.events], first);
    for (const [id, { invite_state: state }] of Object.entries(sync.rooms.invite))
      await this.#invited(home, line, id, state.events);
    if (performance.now() - this.#considered > this.#reconsiderMs) await this.#reconsider(home, line);
    // What could not be read is asked for: of our other devices, by the machine.
    await encryption.ask();
    await Promise.all(told);
    if (this.#stopping.signal.aborted) return;
    this.#cursor = { ...this.#cursor, since: sync.next_batch };
    this.#save();
    void backup?.write();
  }

  #save(): void {
    const line = this.#line;
    if (line === null || this.#cursor.since === "") return;
    const { unread, cards } = line.hearing;
    this.#cursor = {
      ...this.#cursor,
      unread: unread.map(([room, event]) => [room, event]),
      cards: cards.map(([message, card]) => [message, card]),
    };
    this.#host.cursor(encodeCursor(this.#cursor));
  }

  async #joined(home: Home, line: Line, id: string, { timeline, state }: Joined): Promise<Promise<void>[]> {
    for (const event of state.events) await this.#stateOf(line, id, event);
    const own = timeline.events
      .map(memberOf)
      .findLastIndex((one) => one?.state_key === line.own.user && one.content.membership === "join");
    const invited = timeline.events
      .map(memberOf)
      .findLastIndex((one) => one?.state_key === line.own.user && one.content.membership === "invite");
    let events: readonly unknown[] = timeline.events;
    if (own !== -1) {
      // New here: what stands there from before is not for us, but for what was said since we were invited.
      line.rooms.forget(id);
      events = events.slice((invited === -1 ? own : invited) + 1);
    } else if (timeline.limited) events = [...(await this.#missed(home, line, id, timeline.prev_batch)), ...events];
    return await line.hearing.hear(id, events);
  }

  async #stateOf({ rooms }: Line, id: string, event: unknown): Promise<void> {
    const found = z.object({ type: z.string(), content: z.unknown() }).safeParse(event).data;
    const member = memberOf(event);
    if (member !== null) await rooms.member(id, member);
    else if (found?.type === "m.room.encryption") await rooms.encrypted(id, found.content);
  }

  /** What came between the last answer and the first event of this one, oldest first. */
  async #missed(home: Home, line: Line, id: string, before: string | undefined): Promise<unknown[]> {
    // Who came and went meanwhile is not all told.
    line.rooms.forget(id);
    const found: unknown[] = [];
    const path = `client/v3/rooms/${part(id)}/messages`;
    let from = before;
    for (let page = 0; page < MAX_GAP_PAGES && from !== undefined; page++) {
      const query = { dir: "b", limit: "100", from, to: this.#cursor.since };
      const { chunk, end } = Page.parse(await home.json({ method: "GET", path, query }));
      found.unshift(...chunk.toReversed());
      from = chunk.length === 0 ? undefined : end;
    }
    if (from !== undefined) {
      const to = Stamp.safeParse(found[0]).data?.origin_server_ts ?? null;
      const { place } = placeOf(await line.rooms.of(id));
      this.#host.notice(
        { about: "gap", place, from: null, to },
        `more was written there while this was away than is read back: what came before the last ${found.length} messages is not known here`,
      );
    }
    return found;
  }

  async #left(line: Line, id: string, events: readonly unknown[], first: boolean): Promise<void> {
    const own = events
      .map((event) => ({ event, member: memberOf(event) }))
      .findLast(({ member }) => member?.state_key === line.own.user);
    const known = await line.rooms.of(id).then(placeOf, () => null);
    line.rooms.forget(id);
    this.#cursor = { ...this.#cursor, invited: this.#cursor.invited.filter(([room]) => room !== id) };
    if (first || own?.member === null || own === undefined) return;
    const what = own.member.content.membership === "ban" ? "banned from" : "not any more in";
    this.#host.notice(
      { about: "removed", place: known?.place ?? id, from: null, to: null },
      `this account is ${what} a room that it was in`,
    );
  }

  /** A conversation of two is entered with anybody, for a stranger gets a code there and nothing else; a group only where somebody who was paired asks for
   *  it. What is not entered now waits until they are. */
  async #invited(home: Home, line: Line, id: string, events: readonly unknown[]): Promise<void> {
    const found = events.find((event) => memberOf(event)?.state_key === line.own.user);
    const inviter = z.object({ sender: z.string() }).safeParse(found).data?.sender;
    const member = memberOf(found);
    if (inviter === undefined || member?.content.membership !== "invite") return;
    const direct = member.content.is_direct === true ? inviter : null;
    if (await this.#host.knows(inviter)) return await this.#enter(home, line, id, inviter, direct);
    const now = performance.now();
    while ((this.#strangers[0] ?? now) < now - DAY_MS) this.#strangers.shift();
    if (direct !== null && this.#strangers.length < MAX_STRANGERS) {
      this.#strangers.push(now);
      return await this.#enter(home, line, id, inviter, direct);
    }
    const others = this.#cursor.invited.filter(([room]) => room !== id);
    this.#cursor = { ...this.#cursor, invited: [...others, [id, inviter] as [string, string]].slice(-MAX_INVITED) };
  }

  /** Who invited to a group may have been paired since. */
  async #reconsider(home: Home, line: Line): Promise<void> {
    this.#considered = performance.now();
    for (const [id, inviter] of this.#cursor.invited)
      if (await this.#host.knows(inviter)) await this.#enter(home, line, id, inviter, null);
  }

  /** @param direct whom it is a talk alone with; null: a group, or nobody said. */
  async #enter(home: Home, line: Line, id: string, inviter: string, direct: string | null): Promise<void> {
    this.#cursor = { ...this.#cursor, invited: this.#cursor.invited.filter(([room]) => room !== id) };
    const query = { via: inviter.replace(/^[^:]*:/, "") };
    try {
      await home.json({ method: "POST", path: `client/v3/join/${part(id)}`, query, body: {} });
      line.rooms.forget(id);
      if (direct !== null) await this.#speech.reachedAt(direct, id).catch(() => undefined);
    } catch (error) {
      // It was taken back, or leads nowhere.
      if (!(error instanceof Refused) || error.isToken || error.status === 429 || error.status >= 500) throw error;
    }
  }

  /** A room was replaced by another, which must say so itself. */
  async #follow(home: Home, rooms: Rooms, room: string, next: string, via: string): Promise<void> {
    const { place } = await rooms.of(room).then(placeOf, () => ({ place: room }));
    const notice = (how: string): void =>
      this.#host.notice({ about: "removed", place, from: null, to: null }, `a room goes on as another one${how}`);
    try {
      await home.json({ method: "POST", path: `client/v3/join/${part(next)}`, query: { via }, body: {} });
      const create = await home.json({ method: "GET", path: `client/v3/rooms/${part(next)}/state/m.room.create/` });
      if (Create.safeParse(create).data?.predecessor?.room_id !== room) {
        await home.json({ method: "POST", path: `client/v3/rooms/${part(next)}/leave`, body: {} });
        notice(", which says nothing of it: it was not entered");
        return;
      }
      notice(": it was entered");
    } catch (error) {
      if (!(error instanceof Refused) || error.isToken) throw error;
      notice(`, which cannot be entered (${error.code})`);
    }
  }

  #connectedLine(): Line {
    if (this.#line === null) throw new SendFailure("unreachable", "the homeserver is not connected");
    return this.#line;
  }

  compose(message: Send, text: string, files: readonly Attachment[]): Draft[] {
    return this.#speech.compose(message, text, files);
  }

  replace(edit: Edit, text: string): Draft[] {
    return this.#speech.replace(edit, text);
  }

  typing(place: string): void {
    if (this.#line !== null) this.#speech.typing(place);
  }

  async draft(draft: Drafting, text: string): Promise<readonly string[]> {
    return await this.#speech.draft(draft, text);
  }

  async react(
    place: string,
    _thread: string | null,
    message: string,
    mark: Parameters<Speech["react"]>[2],
  ): Promise<void> {
    await this.#speech.react(place, message, mark);
  }

  async file(handle: string, limit: number): Promise<Uint8Array> {
    return await this.#speech.file(handle, limit);
  }

  async openDirect(user: string): Promise<string | null> {
    return await this.#speech.openDirect(user);
  }

  async lookUp(message: LookUp): ReturnType<Speech["lookUp"]> {
    return await this.#speech.lookUp(message);
  }
}
