import * as z from "zod/mini";
import { MatrixServer } from "../support/matrix-server.ts";
import { matrix } from "../support/platforms.ts";
import { conformance, type Rig } from "./conformance.ts";

const Change = z.object({
  "m.relates_to": z.object({ rel_type: z.literal("m.replace"), event_id: z.string() }),
  "m.new_content": z.object({ body: z.string() }),
});

const ADA = "@ada:matrix.example";
const BOB = "@bob:matrix.example";

function text(body: string): Record<string, unknown> {
  return { msgtype: "m.text", body };
}

async function rig(): Promise<Rig> {
  const server = await MatrixServer.start();
  const { home } = server;
  const enter = (room: string): string => {
    home.member(room, server.user, server.user, "join");
    return room;
  };
  const rooms = { ada: enter(home.room(ADA, [server.user])), bob: enter(home.room(BOB, [server.user])) };
  const team = home.room(ADA, [server.user, BOB]);
  home.member(team, BOB, BOB, "join");
  enter(team);
  // Written before we were there for the first time.
  const old: Record<string, unknown> = { msgtype: "m.text", body: "" };
  const older = home.add({ room_id: rooms.ada, type: "m.room.message", sender: ADA, content: old });
  let last = "";
  const say = (room: string, sender: string, content: Record<string, unknown>, type = "m.room.message"): void => {
    last = home.add({ room_id: room, type, sender, content });
  };
  const { homeserver, "access-token": token } = server.login;
  return {
    platform: matrix,
    secrets: { homeserver, "access-token": token },
    apiRoot: server.root,
    ada: { place: rooms.ada, sender: ADA },
    bob: { place: rooms.bob, sender: BOB },
    group: `group:${team}`,
    redelivers: true,
    direct: (body, from = "ada") => say(rooms[from], from === "ada" ? ADA : BOB, text(body)),
    mention: (body) => say(team, ADA, { ...text(`wirken: ${body}`), "m.mentions": { user_ids: [server.user] } }),
    repeat: () => {
      const event = home.events(rooms.ada).at(-1);
      if (event !== undefined) home.repeat(event);
    },
    waiting: () => {
      const taken = home.taken.get(`${server.user} ${server.device}`) ?? 0;
      return home.log.slice(taken).filter((one) => one.kind === "event" && one.event.sender !== server.user).length;
    },
    shown: () => shownIn(home.events(rooms.ada), server.user),
    cut: () => server.cut(),
    asked: () => server.asked,
    slow: (seconds) =>
      void home.mishaps.push({
        on: /^PUT .*\/send\//,
        reply: [429, { errcode: "M_LIMIT_EXCEEDED", error: "Too Many Requests", retry_after_ms: seconds * 1_000 }],
      }),
    vanish: () => home.member(rooms.ada, ADA, server.user, "leave"),
    kick: () => home.member(team, ADA, server.user, "ban"),
    revoke: () => server.logOut(),
    loseAnswer: () => void home.mishaps.push({ on: /^PUT .*\/send\//, reply: "cut after" }),
    down: async () => await server.down(),
    up: async () => await server.up(),
    strange: () => {
      say(rooms.ada, ADA, { msgtype: "m.notice", body: "a bot says this" });
      say(rooms.ada, server.user, text("our own"));
      say(rooms.ada, ADA, { "m.relates_to": { rel_type: "m.annotation", event_id: last, key: "🎉" } }, "m.reaction");
      say(rooms.ada, ADA, { call_id: "1", version: "1" }, "m.call.invite");
      say(rooms.ada, ADA, { "org.example.tomorrow": true }, "org.example.message");
      say(team, ADA, text("not for us"));
      home.add({ room_id: rooms.ada, type: "m.room.topic", sender: ADA, state_key: "", content: { topic: "x" } });
    },
    hostile: () => {
      home.member(rooms.ada, ADA, ADA, "join", { displayname: "\u202e".repeat(1_000_000) });
      say(rooms.ada, ADA, { msgtype: "m.text", body: { no: "text" } });
      say(rooms.ada, ADA, {
        msgtype: "m.text",
        body: "look",
        "m.mentions": { user_ids: Array.from({ length: 10_000 }, () => 7) },
      });
      say(rooms.ada, ADA, {
        msgtype: "m.file",
        body: "x".repeat(60_000),
        url: "mxc://../../etc/passwd",
        info: { size: -1 },
      });
      say(rooms.ada, ADA, { msgtype: "m.file", body: "a", file: { url: `mxc://a/${"b".repeat(5_000)}`, v: "v2" } });
      say(rooms.ada, ADA, {
        ...text("in reply"),
        "m.relates_to": { "m.in_reply_to": { event_id: `$${"x".repeat(5_000)}` } },
      });
      say(rooms.ada, ADA, { ...text("in reply"), "m.relates_to": { "m.in_reply_to": { event_id: "../../../sync" } } });
      say(
        rooms.ada,
        ADA,
        { algorithm: "m.megolm.v1.aes-sha2", ciphertext: "AwgA", session_id: "x" },
        "m.room.encrypted",
      );
      say(rooms.ada, ADA, { algorithm: "m.olm.of.tomorrow" }, "m.room.encrypted");
      home.log.push({ kind: "to-device", to: `${server.user} ${server.device}`, message: { type: 7 } });
      home.log.push({
        kind: "to-device",
        to: `${server.user} ${server.device}`,
        message: {
          type: "m.room.encrypted",
          sender: ADA,
          content: { algorithm: "m.olm.v1.curve25519-aes-sha2", ciphertext: 9 },
        },
      });
    },
    previews: () => home.previewed,
    file: (body, name, bytes) => {
      home.media.set("matrix.example/file", { bytes, type: "text/csv" });
      const info = { mimetype: "text/csv", size: bytes.length };
      say(rooms.ada, ADA, { msgtype: "m.file", body, filename: name, url: "mxc://matrix.example/file", info });
    },
    voice: () =>
      say(rooms.ada, ADA, {
        msgtype: "m.audio",
        body: "Voice message",
        url: "mxc://matrix.example/voice",
        "org.matrix.msc3245.voice": {},
      }),
    received: () =>
      home.events(rooms.ada).flatMap(({ sender, content }) => {
        if (sender !== server.user || typeof content["url"] !== "string") return [];
        const bytes = home.media.get(content["url"].replace("mxc://", ""))?.bytes ?? new Uint8Array();
        return [{ name: String(content["body"]), bytes: Buffer.from(bytes) }];
      }),
    edit: (body) => {
      const relation = { rel_type: "m.replace", event_id: last };
      say(rooms.ada, ADA, { ...text(`* ${body}`), "m.new_content": text(body), "m.relates_to": relation });
    },
    remove: () =>
      void home.add({
        room_id: rooms.ada,
        type: "m.room.redaction",
        sender: ADA,
        content: { redacts: last },
        redacts: last,
      }),
    reply: (body, to) => {
      old["body"] = to;
      say(rooms.ada, ADA, { ...text(body), "m.relates_to": { "m.in_reply_to": { event_id: older } } });
    },
    [Symbol.asyncDispose]: async () => await server[Symbol.asyncDispose](),
  };
}

/** What is to be read in the end: a message that was changed, as it was changed last. */
function shownIn(
  events: readonly {
    readonly event_id: string;
    readonly sender: string;
    readonly content: Record<string, unknown>;
    readonly type: string;
  }[],
  own: string,
): string[] {
  const shown = new Map<string, string>();
  for (const { event_id: id, sender, type, content } of events) {
    if (sender !== own || type !== "m.room.message") continue;
    const change = Change.safeParse(content).data;
    if (change !== undefined) shown.set(change["m.relates_to"].event_id, change["m.new_content"].body);
    else shown.set(id, String(content["body"]));
  }
  return [...shown.values()];
}

conformance("matrix", rig, {
  refuseFormatting: "a homeserver does not read what it passes on",
  rival: "a homeserver tells nobody that two programs use one login",
});
