import { randomBytes } from "node:crypto";

/** Rooms, keys and files of a homeserver as far as clients see them, strictly: what a real one refuses is refused.
 *  @see https://spec.matrix.org/v1.11/client-server-api/ */

export type Reply = readonly [status: number, body: object | Uint8Array, type?: string];

export interface Login {
  readonly user: string;
  readonly device: string;
}

export interface HomeEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly origin_server_ts: number;
  readonly room_id: string;
  readonly content: Record<string, unknown>;
  readonly state_key?: string;
  readonly redacts?: string;
  readonly unsigned?: { readonly transaction_id: string };
}

type Json = Record<string, unknown>;

interface Account {
  readonly devices: Map<
    string,
    { keys: Json | null; readonly oneTime: Map<string, unknown>; fallback: Map<string, unknown>; unused: Set<string> }
  >;
  readonly data: Map<string, unknown>;
  /** Cross-signing keys. */
  master: Json | null;
  selfSigning: Json | null;
  userSigning: Json | null;
}

interface Backup {
  readonly version: string;
  readonly algorithm: unknown;
  readonly auth_data: unknown;
  readonly sessions: Map<string, unknown>;
}

const MAX_EVENT_BYTES = 65_536;
const FORBIDDEN: Reply = [403, { errcode: "M_FORBIDDEN", error: "You are not in this room" }];
const NOT_FOUND: Reply = [404, { errcode: "M_NOT_FOUND", error: "Not found" }];

/** What goes wrong once. */
export interface Mishap {
  readonly on: RegExp;
  readonly reply: Reply | "cut" | "cut after";
  readonly headers?: Record<string, string>;
}

export class MatrixHome {
  readonly accounts = new Map<string, Account>();
  /** All that ever happened, in order: a place in it is a token of a sync. */
  readonly log: (
    | { readonly kind: "event"; readonly event: HomeEvent }
    | { readonly kind: "to-device"; readonly to: string; readonly message: Json }
    | { readonly kind: "devices"; readonly user: string }
  )[] = [];
  /** What each room is now, and all that was said there: read up from the log when it is asked for, because a load makes thousands. */
  readonly #now = new Map<string, { readonly events: HomeEvent[]; readonly state: Map<string, HomeEvent> }>();
  #read = 0;
  readonly #transactions = new Map<string, string>();
  readonly media = new Map<string, { readonly bytes: Uint8Array; readonly type: string }>();
  readonly typings: string[] = [];
  readonly questions: string[] = [];
  readonly mishaps: Mishap[] = [];
  readonly #waiting = new Set<() => void>();
  backup: Backup | null = null;
  /** Events of a room that one sync shows at most. */
  timelineLimit = 50;
  /** What a client had looked up for a preview. */
  readonly previewed: string[] = [];
  /** Messages from device to device that are held up. */
  holdToDevice: (typeof this.log)[number][] | null = null;
  #clock = 0;
  /** Where each device went on from: what lies before was taken. */
  readonly taken = new Map<string, number>();

  account(user: string): Account {
    const known = this.accounts.get(user) ?? {
      devices: new Map(),
      data: new Map(),
      master: null,
      selfSigning: null,
      userSigning: null,
    };
    this.accounts.set(user, known);
    return known;
  }

  #device({ user, device }: Login): NonNullable<ReturnType<Account["devices"]["get"]>> {
    const { devices } = this.account(user);
    const known = devices.get(device) ?? {
      keys: null,
      oneTime: new Map(),
      fallback: new Map(),
      unused: new Set<string>(),
    };
    devices.set(device, known);
    return known;
  }

  #indexed(): Map<string, { readonly events: HomeEvent[]; readonly state: Map<string, HomeEvent> }> {
    for (; this.#read < this.log.length; this.#read++) {
      const one = this.log[this.#read];
      if (one?.kind !== "event") continue;
      const { event } = one;
      const room = this.#now.get(event.room_id) ?? { events: [] as HomeEvent[], state: new Map<string, HomeEvent>() };
      this.#now.set(event.room_id, room);
      room.events.push(event);
      if (event.state_key !== undefined) room.state.set(`${event.type} ${event.state_key}`, event);
    }
    return this.#now;
  }

  events(room: string): readonly HomeEvent[] {
    return this.#indexed().get(room)?.events ?? [];
  }

  /** @param until a place in the log; left out: now. */
  state(room: string, until?: number): ReadonlyMap<string, HomeEvent> {
    if (until === undefined) return this.#indexed().get(room)?.state ?? new Map();
    const state = new Map<string, HomeEvent>();
    for (const one of this.log.slice(0, until)) {
      if (one.kind !== "event" || one.event.room_id !== room || one.event.state_key === undefined) continue;
      state.set(`${one.event.type} ${one.event.state_key}`, one.event);
    }
    return state;
  }

  membership(room: string, user: string, until?: number): string | null {
    const content = this.state(room, until).get(`m.room.member ${user}`)?.content;
    return typeof content?.["membership"] === "string" ? content["membership"] : null;
  }

  /** Puts an event there, whoever its sender is. */
  add(event: Omit<HomeEvent, "event_id" | "origin_server_ts"> & { readonly origin_server_ts?: number }): string {
    const id = `$${randomBytes(32).toString("base64url")}`;
    this.#clock = Math.max(this.#clock + 1, Date.now());
    this.log.push({ kind: "event", event: { origin_server_ts: this.#clock, ...event, event_id: id } });
    this.#changed();
    return id;
  }

  member(room: string, sender: string, user: string, membership: string, more: Json = {}): void {
    this.add({
      room_id: room,
      type: "m.room.member",
      sender,
      state_key: user,
      content: { membership, displayname: user.replace(/^@|:.*$/g, ""), ...more },
    });
  }

  /** A room that somebody made and invited others to. */
  room(
    creator: string,
    invited: readonly string[],
    how: { readonly encrypted?: boolean; readonly direct?: boolean } = {},
  ): string {
    const room = `!${randomBytes(12).toString("base64url")}:matrix.example`;
    this.add({ room_id: room, type: "m.room.create", sender: creator, state_key: "", content: { room_version: "11" } });
    this.member(room, creator, creator, "join");
    if (how.encrypted === true)
      this.add({
        room_id: room,
        type: "m.room.encryption",
        sender: creator,
        state_key: "",
        content: { algorithm: "m.megolm.v1.aes-sha2" },
      });
    const direct = how.direct === true ? { is_direct: true } : {};
    for (const user of invited) this.member(room, creator, user, "invite", direct);
    return room;
  }

  release(held: typeof this.log): void {
    this.log.push(...held);
    this.#changed();
  }

  /** Says the same once more. */
  repeat(event: HomeEvent): void {
    this.log.push({ kind: "event", event });
    this.#changed();
  }

  #changed(): void {
    for (const look of this.#waiting) look();
  }

  async reply(login: Login, method: string, url: URL, raw: Uint8Array): Promise<Reply> {
    const path = url.pathname.replace(/^\/_matrix\//, "");
    const words = path.split("/").map(decodeURIComponent);
    const question = `${method} ${path.replace(/client\/(v3|v1|r0)\//, "")}`;
    this.questions.push(question);
    if (path.startsWith("media/") || path.startsWith("client/v1/media/"))
      return await this.#files(method, words, url, raw);
    let body: Json = {};
    if (method !== "GET") {
      try {
        const read: unknown = raw.length === 0 ? {} : JSON.parse(Buffer.from(raw).toString("utf8"));
        if (typeof read !== "object" || read === null) throw new Error("no object");
        body = { ...read };
      } catch {
        return [400, { errcode: "M_NOT_JSON", error: "Content not JSON." }];
      }
    }
    const [, , head, ...rest] = words;
    switch (head) {
      case "sync":
        return await this.#sync(login, url);
      case "keys":
        return this.#keys(login, rest.join("/"), body);
      case "sendToDevice":
        return this.#toDevice(login, rest[0] ?? "", rest[1] ?? "", body);
      case "room_keys":
        return this.#roomKeys(method, rest, url, body);
      // What the top-level SDK asks when it starts: there are no rules of notification and no capabilities beyond the rest.
      case "pushrules":
        return [200, { global: {} }];
      case "capabilities":
        return [200, { capabilities: {} }];
      case "user":
        if (rest[1] === "filter") return [200, { filter_id: "1" }];
        return this.#accountData(login, method, rest, body);
      case "createRoom":
        return this.#create(login, body);
      case "join":
        return this.#join(login, rest[0] ?? "");
      case "rooms":
        return this.#rooms(login, method, rest[0] ?? "", rest.slice(1), url, body, raw.length);
      default:
        return [404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }];
    }
  }

  async #files(method: string, words: readonly string[], url: URL, raw: Uint8Array): Promise<Reply> {
    if (words.at(-1) === "preview_url") {
      const target = url.searchParams.get("url") ?? "";
      this.previewed.push(target);
      await fetch(target).catch(() => null);
      return [200, {}];
    }
    if (method === "POST" && words.at(-1) === "upload") {
      const id = randomBytes(12).toString("hex");
      this.media.set(`matrix.example/${id}`, { bytes: raw, type: "application/octet-stream" });
      return [200, { content_uri: `mxc://matrix.example/${id}` }];
    }
    // The place of before v1.11 is frozen: it has none of today's files.
    if (words[0] !== "client" || words[3] !== "download") return [404, { errcode: "M_NOT_FOUND", error: "frozen" }];
    const found = this.media.get(`${words[4]}/${words[5]}`);
    return found === undefined ? NOT_FOUND : [200, found.bytes, found.type];
  }

  async #sync(login: Login, url: URL): Promise<Reply> {
    const given = url.searchParams.get("since");
    const since = given === null ? 0 : Number(/^s(\d+)$/.exec(given)?.[1] ?? "NaN");
    if (!(since <= this.log.length)) return [400, { errcode: "M_INVALID_PARAM", error: "Invalid stream token" }];
    this.taken.set(`${login.user} ${login.device}`, since);
    const until = Date.now() + Math.min(Number(url.searchParams.get("timeout") ?? 0), 30_000);
    for (;;) {
      const answer = this.#news(login, since, given === null);
      if (answer.some || given === null || Date.now() >= until) return [200, answer.body];
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.add(resolve);
      const timer = setTimeout(resolve, until - Date.now());
      await promise;
      clearTimeout(timer);
      this.#waiting.delete(resolve);
    }
  }

  #news(login: Login, since: number, first: boolean): { readonly some: boolean; readonly body: object } {
    const end = this.log.length;
    const own = this.#device(login);
    const join: Json = {};
    const invite: Json = {};
    const leave: Json = {};
    const fresh = this.log.slice(since, end);
    const changed = new Set<string>();
    for (const room of this.#indexed().keys()) {
      const now = this.membership(room, login.user);
      const events = fresh.flatMap((one) => (one.kind === "event" && one.event.room_id === room ? [one.event] : []));
      const moved = events.some(({ type, state_key: who }) => type === "m.room.member" && who === login.user);
      const before = moved ? this.membership(room, login.user, since) : now;
      if (now === "join" && events.length > 0) {
        const joined = before === "join" && !first;
        const all = joined ? events : this.events(room);
        const shown = all.slice(-this.timelineLimit);
        const at = this.log.findIndex(
          (one, i) => (!joined || i >= since) && one.kind === "event" && one.event.event_id === shown[0]?.event_id,
        );
        // All that was there before, or what changed between the last answer and the first event that is shown.
        const state = joined
          ? [...new Map(all.slice(0, -shown.length).flatMap(stated)).values()]
          : [...this.state(room, at).values()];
        join[room] = {
          timeline: {
            events: shown.map((one) => seenBy(login, one)),
            limited: shown.length < all.length,
            prev_batch: `s${at}`,
          },
          state: { events: state },
          account_data: { events: [] },
          ephemeral: { events: [] },
          summary: {},
          unread_notifications: { highlight_count: 0, notification_count: 0 },
        };
        if (before !== "join" || first)
          for (const key of this.state(room).keys()) if (key.startsWith("m.room.member ")) changed.add(key.slice(14));
      } else if (now === "invite" && (first || events.some((one) => one.state_key === login.user)))
        invite[room] = {
          invite_state: {
            events: [...this.state(room).values()].map(({ type, sender, state_key, content }) => ({
              type,
              sender,
              state_key,
              content,
            })),
          },
        };
      else if ((now === "leave" || now === "ban") && before === "join" && !first)
        leave[room] = {
          timeline: { events, limited: false, prev_batch: `s${since}` },
          state: { events: [] },
          account_data: { events: [] },
        };
    }
    for (const one of fresh) if (one.kind === "devices" && !first) changed.add(one.user);
    const mine = `${login.user} ${login.device}`;
    const toDevice = fresh.flatMap((one) => (one.kind === "to-device" && one.to === mine ? [one.message] : []));
    const count = own.oneTime.size;
    const some =
      Object.keys({ ...join, ...invite, ...leave }).length > 0 || toDevice.length > 0 || (changed.size > 0 && !first);
    return {
      some,
      body: {
        next_batch: `s${end}`,
        rooms: { join, invite, leave },
        to_device: { events: toDevice },
        device_lists: { changed: [...changed], left: [] },
        device_one_time_keys_count: { signed_curve25519: count },
        device_unused_fallback_key_types: [...own.unused],
        presence: { events: [] },
        account_data: { events: [] },
      },
    };
  }

  #keys(login: Login, what: string, body: Json): Reply {
    const own = this.#device(login);
    switch (what) {
      case "upload": {
        if (isObject(body["device_keys"])) {
          const keys = body["device_keys"];
          if (keys["user_id"] !== login.user || keys["device_id"] !== login.device)
            return [400, { errcode: "M_INVALID_PARAM", error: "Not the keys of this device" }];
          own.keys = keys;
          this.log.push({ kind: "devices", user: login.user });
          this.#changed();
        }
        for (const [id, key] of Object.entries(isObject(body["one_time_keys"]) ? body["one_time_keys"] : {})) {
          if (own.oneTime.has(id) && JSON.stringify(own.oneTime.get(id)) !== JSON.stringify(key))
            return [400, { errcode: "M_UNKNOWN", error: `One time key ${id} already exists` }];
          own.oneTime.set(id, key);
        }
        if (isObject(body["fallback_keys"])) {
          own.fallback = new Map(Object.entries(body["fallback_keys"]));
          if (own.fallback.size > 0) own.unused.add("signed_curve25519");
        }
        return [200, { one_time_key_counts: { signed_curve25519: own.oneTime.size } }];
      }
      case "query": {
        const wanted = isObject(body["device_keys"]) ? Object.keys(body["device_keys"]) : [];
        const device_keys: Json = {};
        const master_keys: Json = {};
        const self_signing_keys: Json = {};
        const user_signing_keys: Json = {};
        for (const user of wanted) {
          const account = this.accounts.get(user);
          if (account === undefined) {
            device_keys[user] = {};
            continue;
          }
          device_keys[user] = Object.fromEntries(
            [...account.devices].flatMap(([id, { keys }]) => (keys === null ? [] : [[id, keys]])),
          );
          if (account.master !== null) master_keys[user] = account.master;
          if (account.selfSigning !== null) self_signing_keys[user] = account.selfSigning;
          if (account.userSigning !== null && user === login.user) user_signing_keys[user] = account.userSigning;
        }
        return [200, { device_keys, master_keys, self_signing_keys, user_signing_keys, failures: {} }];
      }
      case "claim": {
        const claimed: Record<string, Json> = {};
        for (const [user, devices] of Object.entries(isObject(body["one_time_keys"]) ? body["one_time_keys"] : {}))
          for (const device of Object.keys(isObject(devices) ? devices : {})) {
            const theirs = this.accounts.get(user)?.devices.get(device);
            const [first] = theirs?.oneTime ?? [];
            if (first !== undefined) theirs?.oneTime.delete(first[0]);
            else theirs?.unused.clear();
            const given = first ?? [...(theirs?.fallback ?? [])][0];
            if (given !== undefined) (claimed[user] ??= {})[device] = { [given[0]]: given[1] };
          }
        return [200, { one_time_keys: claimed, failures: {} }];
      }
      case "signatures/upload":
        for (const [user, keys] of Object.entries(body))
          for (const [id, signed] of Object.entries(isObject(keys) ? keys : {})) {
            const device = this.accounts.get(user)?.devices.get(id);
            if (device?.keys === null || device === undefined || !isObject(signed)) continue;
            device.keys = { ...device.keys, signatures: merged(device.keys["signatures"], signed["signatures"]) };
            this.log.push({ kind: "devices", user });
          }
        this.#changed();
        return [200, { failures: {} }];
      case "device_signing/upload": {
        const account = this.account(login.user);
        if (isObject(body["master_key"])) account.master = body["master_key"];
        if (isObject(body["self_signing_key"])) account.selfSigning = body["self_signing_key"];
        if (isObject(body["user_signing_key"])) account.userSigning = body["user_signing_key"];
        this.log.push({ kind: "devices", user: login.user });
        this.#changed();
        return [200, {}];
      }
      default:
        return [404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }];
    }
  }

  #toDevice(login: Login, type: string, txn: string, body: Json): Reply {
    const name = `${login.user} ${login.device} to-device ${txn}`;
    if (this.#transactions.has(name)) return [200, {}];
    this.#transactions.set(name, "");
    for (const [user, devices] of Object.entries(isObject(body["messages"]) ? body["messages"] : {}))
      for (const [device, content] of Object.entries(isObject(devices) ? devices : {})) {
        const all = device === "*" ? [...(this.accounts.get(user)?.devices.keys() ?? [])] : [device];
        for (const to of all)
          (this.holdToDevice ?? this.log).push({
            kind: "to-device",
            to: `${user} ${to}`,
            message: { type, sender: login.user, content },
          });
      }
    this.#changed();
    return [200, {}];
  }

  #roomKeys(method: string, rest: readonly string[], url: URL, body: Json): Reply {
    const [what, room = "", session = ""] = rest;
    if (what === "version" && method === "POST") {
      this.backup = { version: "1", algorithm: body["algorithm"], auth_data: body["auth_data"], sessions: new Map() };
      return [200, { version: "1" }];
    }
    if (this.backup === null) return [404, { errcode: "M_NOT_FOUND", error: "No backup found" }];
    const { version, algorithm, auth_data, sessions } = this.backup;
    if (what === "version")
      return [200, { version, algorithm, auth_data, count: sessions.size, etag: String(sessions.size) }];
    if (url.searchParams.get("version") !== version)
      return [403, { errcode: "M_WRONG_ROOM_KEYS_VERSION", error: "Wrong version", current_version: version }];
    if (method === "GET") {
      const found = sessions.get(`${room} ${session}`);
      return found === undefined ? NOT_FOUND : [200, Object(found)];
    }
    for (const [id, one] of Object.entries(isObject(body["rooms"]) ? body["rooms"] : {}))
      for (const [key, data] of Object.entries(isObject(one) && isObject(one["sessions"]) ? one["sessions"] : {}))
        sessions.set(`${id} ${key}`, data);
    return [200, { count: sessions.size, etag: String(sessions.size) }];
  }

  #accountData(login: Login, method: string, [user = "", , type = ""]: readonly string[], body: Json): Reply {
    if (user !== login.user) return FORBIDDEN;
    const { data } = this.account(user);
    if (method === "PUT") {
      data.set(type, body);
      return [200, {}];
    }
    const found = data.get(type);
    return found === undefined ? NOT_FOUND : [200, Object(found)];
  }

  #create(login: Login, body: Json): Reply {
    const invited = Array.isArray(body["invite"]) ? body["invite"].map(String) : [];
    const state = Array.isArray(body["initial_state"]) ? body["initial_state"] : [];
    const encrypted = state.some((one: unknown) => isObject(one) && one["type"] === "m.room.encryption");
    return [200, { room_id: this.room(login.user, invited, { encrypted, direct: body["is_direct"] === true }) }];
  }

  #join(login: Login, room: string): Reply {
    const now = this.membership(room, login.user);
    if (now === "join") return [200, { room_id: room }];
    const rules = this.state(room).get("m.room.join_rules ")?.content["join_rule"];
    if (now !== "invite" && rules !== "public") return FORBIDDEN;
    this.member(room, login.user, login.user, "join");
    return [200, { room_id: room }];
  }

  #rooms(
    login: Login,
    method: string,
    room: string,
    rest: readonly string[],
    url: URL,
    body: Json,
    size: number,
  ): Reply {
    const [what = "", one = "", two = ""] = rest;
    if (what === "join") return this.#join(login, room);
    if (this.membership(room, login.user) !== "join") return FORBIDDEN;
    switch (what) {
      case "leave":
        this.member(room, login.user, login.user, "leave");
        return [200, {}];
      case "invite":
        this.member(room, login.user, String(body["user_id"]), "invite");
        return [200, {}];
      case "members":
      case "joined_members": {
        const members = [...this.state(room).values()].filter(({ type }) => type === "m.room.member");
        if (what === "members") {
          const not = url.searchParams.get("not_membership");
          return [200, { chunk: members.filter(({ content }) => content["membership"] !== not) }];
        }
        const joined = members.filter(({ content }) => content["membership"] === "join");
        return [
          200,
          {
            joined: Object.fromEntries(
              joined.map(({ state_key: user = "", content }) => [user, { display_name: content["displayname"] }]),
            ),
          },
        ];
      }
      case "state": {
        if (method === "PUT")
          return [
            200,
            { event_id: this.add({ room_id: room, type: one, sender: login.user, state_key: two, content: body }) },
          ];
        const found = this.state(room).get(`${one} ${two}`);
        return found === undefined ? NOT_FOUND : [200, found.content];
      }
      case "event": {
        const found = this.events(room).find(({ event_id: id }) => id === one);
        return found === undefined ? NOT_FOUND : [200, seenBy(login, found)];
      }
      case "messages":
        return this.#messages(login, room, url);
      case "typing":
        if (one !== login.user) return FORBIDDEN;
        this.typings.push(room);
        return [200, {}];
      case "receipt":
      case "read_markers":
        return [200, {}];
      case "send":
      case "redact": {
        if (size > MAX_EVENT_BYTES) return [413, { errcode: "M_TOO_LARGE", error: "event too large" }];
        const name = `${login.user} ${login.device} ${room} ${what} ${two}`;
        const before = this.#transactions.get(name);
        if (before !== undefined) return [200, { event_id: before }];
        const id = this.add({
          room_id: room,
          type: what === "send" ? one : "m.room.redaction",
          sender: login.user,
          content: what === "send" ? body : { ...body, redacts: one },
          ...(what === "send" ? {} : { redacts: one }),
          unsigned: { transaction_id: `${login.device} ${two}` },
        });
        this.#transactions.set(name, id);
        return [200, { event_id: id }];
      }
      default:
        return [404, { errcode: "M_UNRECOGNIZED", error: "Unrecognized request" }];
    }
  }

  #messages(login: Login, room: string, url: URL): Reply {
    const from = Number((url.searchParams.get("from") ?? `s${this.log.length}`).slice(1));
    const to = Number((url.searchParams.get("to") ?? "s0").slice(1));
    const limit = Number(url.searchParams.get("limit") ?? 10);
    if (url.searchParams.get("dir") !== "b") return [400, { errcode: "M_INVALID_PARAM", error: "dir" }];
    const chunk: HomeEvent[] = [];
    let at = from;
    while (at > to && chunk.length < limit) {
      at -= 1;
      const one = this.log[at];
      if (one?.kind === "event" && one.event.room_id === room) chunk.push(seenBy(login, one.event));
    }
    return [200, { chunk, start: `s${from}`, ...(at > to ? { end: `s${at}` } : {}) }];
  }
}

/** The name that a device gave what it sent is shown to that device alone. */
function seenBy({ user, device }: Login, event: HomeEvent): HomeEvent {
  const { unsigned, ...rest } = event;
  const mark = `${device} `;
  if (unsigned === undefined || event.sender !== user || !unsigned.transaction_id.startsWith(mark)) return rest;
  return { ...rest, unsigned: { transaction_id: unsigned.transaction_id.slice(mark.length) } };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function merged(a: unknown, b: unknown): Json {
  const all: Json = isObject(a) ? { ...a } : {};
  for (const [user, keys] of Object.entries(isObject(b) ? b : {}))
    all[user] = { ...Object(all[user]), ...Object(keys) };
  return all;
}

function stated(event: HomeEvent): [string, HomeEvent][] {
  return event.state_key === undefined ? [] : [[`${event.type} ${event.state_key}`, event]];
}
