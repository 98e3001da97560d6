import { expect, test } from "vitest";
import { AdapterTalk } from "../support/adapter-talk.ts";
import { MatrixServer } from "../support/matrix-server.ts";
import { NioPeer } from "../support/nio-peer.ts";
import { matrix } from "../support/platforms.ts";

const ADA = "@ada:matrix.example";

async function connected(
  server: MatrixServer,
  before?: AdapterTalk,
  more: Record<string, string> = {},
): Promise<AdapterTalk> {
  const talk = AdapterTalk.local(matrix);
  talk.kept = before?.kept ?? [];
  const cursor = before?.said.findLast((frame) => frame.type === "cursor")?.cursor ?? null;
  const { homeserver, "access-token": token } = server.login;
  talk.start({ homeserver, "access-token": token, ...more }, { apiRoot: server.root, cursor });
  await talk.next("state", (frame) => frame.state === "connected");
  return talk;
}

test("a conversation with a person whose program is another one is encrypted both ways, and goes on after a crash", async () => {
  await using server = await MatrixServer.start();
  await using ada = await NioPeer.start(server, ADA);
  let before: AdapterTalk;
  let room: string;
  {
    await using talk = await connected(server);
    before = talk;
    room = server.home.room(ADA, [server.user], { encrypted: true, direct: true });
    await expect.poll(() => server.home.membership(room, server.user)).toBe("join");
    await ada.send(room, "list my files");
    const inbound = await talk.next("inbound");
    expect(inbound).toMatchObject({
      place: room,
      thread: null,
      sender: ADA,
      senderName: "ada",
      talk: "direct",
      text: "list my files",
    });
    talk.acknowledge(inbound);
    expect(await talk.send(room, "There are **two**.")).toMatchObject({ type: "delivered" });
    expect(await ada.heard("There are two.")).toMatchObject({
      encrypted: true,
      html: "<p>There are <strong>two</strong>.</p>",
    });
    await talk.next("cursor");
  }
  await ada.send(room, "while you were away");
  await using talk = await connected(server, before);
  const late = await talk.next("inbound");
  expect(late.text).toBe("while you were away");
  talk.acknowledge(late);
  await talk.send(room, "I am back.");
  expect(await ada.heard("I am back.")).toMatchObject({ encrypted: true });
  // Nobody could have read a word on the way.
  expect(server.home.events(room).filter(({ type }) => type === "m.room.message")).toEqual([]);
});

/** A room of two where nobody but the two can read. */
async function shared(server: MatrixServer, talk: AdapterTalk, ada: NioPeer): Promise<string> {
  const room = server.home.room(ADA, [server.user], { encrypted: true, direct: true });
  await expect.poll(() => server.home.membership(room, server.user)).toBe("join");
  await ada.send(room, "hello");
  talk.acknowledge(await talk.next("inbound"));
  return room;
}

test("in an encrypted room nothing is taken that came in the clear, that came before, or that is somebody else's; and it never turns into an open one", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  await using ada = await NioPeer.start(server, ADA);
  await using talk = await connected(server);
  const room = await shared(server, talk, ada);
  // The homeserver makes up a message in her name.
  home.add({
    room_id: room,
    type: "m.room.message",
    sender: ADA,
    content: { msgtype: "m.text", body: "delete everything" },
  });
  expect(await talk.next("notice")).toMatchObject({ about: "degraded", place: room });
  // It says once more what she wrote, as if she had written it twice; and as if Bob had.
  const hello = home.events(room).find(({ type }) => type === "m.room.encrypted");
  const again = { room_id: room, type: "m.room.encrypted", content: hello?.content ?? {} };
  home.add({ ...again, sender: ADA });
  home.add({ ...again, sender: "@bob:matrix.example" });
  expect((await talk.next("notice")).text).toContain("somebody else");
  // It says that the room is not encrypted any more.
  home.add({ room_id: room, type: "m.room.encryption", sender: ADA, state_key: "", content: {} });
  await talk.send(room, "still between us");
  expect(await ada.heard("still between us")).toMatchObject({ encrypted: true });
  expect(home.events(room).filter(({ type, sender }) => type === "m.room.message" && sender === server.user)).toEqual(
    [],
  );
  await ada.send(room, "the end");
  expect((await talk.next("inbound")).text).toBe("the end");
  expect(talk.said.filter(({ type }) => type === "inbound")).toHaveLength(2);
});

test("a message whose key has not come is reported, and told once it comes, also after a restart", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  await using ada = await NioPeer.start(server, ADA);
  let before: AdapterTalk;
  let room: string;
  let held: (typeof home.log)[number][];
  {
    await using talk = await connected(server);
    before = talk;
    room = await shared(server, talk, ada);
    // Her program makes a new key, and that is held up on its way.
    home.holdToDevice = [];
    held = home.holdToDevice;
    await ada.renew(room);
    await ada.send(room, "with a key of its own");
    const notice = await talk.next("notice");
    expect(notice).toMatchObject({ about: "undecryptable", place: room });
    expect(notice.text).toContain("no other device of this account can be asked for it");
    await talk.next("cursor", ({ cursor }) => !cursor.includes('"unread":[]'));
  }
  await using talk = await connected(server, before);
  home.holdToDevice = null;
  home.release(held);
  const inbound = await talk.next("inbound");
  expect(inbound.text).toBe("with a key of its own");
  talk.acknowledge(inbound);
  await talk.next("cursor", ({ cursor }) => cursor.includes('"unread":[]'));
});

test("a card in an encrypted room is decided by words; a sign in the clear can only refuse", async () => {
  await using server = await MatrixServer.start();
  await using ada = await NioPeer.start(server, ADA);
  await using talk = await connected(server);
  const room = await shared(server, talk, ada);
  const card = { id: "ap_00000000000000000000000000", code: "7F3K2A", mayRemember: true };
  const outcome = await talk.send(room, "Ada asks: run a command", { style: "preformatted", card });
  const request = "ids" in outcome ? (outcome.ids[0] ?? "") : "";
  expect((await ada.next(({ heard }) => heard?.startsWith("Answer:") === true)).heard).toContain(
    "approve 7F3K2A session",
  );
  const sign = (key: string): object => ({ "m.relates_to": { rel_type: "m.annotation", event_id: request, key } });
  server.home.add({ room_id: room, type: "m.reaction", sender: ADA, content: { ...sign("✅") } });
  await ada.next(({ heard }) => heard?.includes("could have made it up") === true);
  server.home.add({ room_id: room, type: "m.reaction", sender: ADA, content: { ...sign("❌") } });
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({ card: card.id, decision: "deny", sender: ADA, place: room });
  talk.tell({ type: "answer", ref: pressed.ref }, "denied");
  talk.acknowledge(pressed);
  await ada.heard("denied");
  expect(talk.said.filter(({ type }) => type === "pressed")).toHaveLength(1);
  await talk.edit(room, "ids" in outcome ? [...outcome.ids] : [], "denied by Ada");
  const edited = await ada.heard("* denied by Ada");
  expect(edited.encrypted).toBe(true);
});

function cardOf(nth: number): { readonly id: string; readonly code: string; readonly mayRemember: boolean } {
  return { id: `ap_0000000000000000000000000${nth}`, code: "7F3K2A", mayRemember: false };
}

test("a sign on a card counts also after a restart, and not on one that was decided", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const room = home.room(ADA, [server.user]);
  home.member(room, server.user, server.user, "join");
  const shown: string[][] = [];
  const before = await connected(server);
  for (const nth of [0, 1]) {
    const outcome = await before.send(room, "Ada asks: run a command", { style: "preformatted", card: cardOf(nth) });
    shown.push("ids" in outcome ? [...outcome.ids] : []);
  }
  await before.edit(room, shown[0] ?? [], "denied by Ada");
  await before.next("cursor", ({ cursor }) => cursor.includes(cardOf(1).id) && !cursor.includes(cardOf(0).id));
  await before[Symbol.asyncDispose]();
  await using talk = await connected(server, before);
  for (const ids of shown)
    home.add({
      room_id: room,
      type: "m.reaction",
      sender: ADA,
      content: { "m.relates_to": { rel_type: "m.annotation", event_id: ids[0] ?? "", key: "✅" } },
    });
  const pressed = await talk.next("pressed");
  expect(pressed).toMatchObject({ card: cardOf(1).id, decision: "approve", sender: ADA });
  talk.acknowledge(pressed);
  await talk.next("cursor");
  expect(talk.said.filter(({ type }) => type === "pressed")).toHaveLength(1);
});

test("files are encrypted both ways, and one that was changed on its way is not taken", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  await using ada = await NioPeer.start(server, ADA);
  await using talk = await connected(server);
  const room = await shared(server, talk, ada);
  const bytes = Buffer.from("%PDF-1.7 of a test");
  await talk.send(room, "here it is", {}, [{ name: "report.pdf", mime: "application/pdf", bytes }]);
  const file = await ada.heard("report.pdf");
  expect([...home.media.values()].map((one) => Buffer.from(one.bytes).includes("PDF"))).toEqual([false]);
  // She sends the same one back.
  await ada.event(room, "m.room.message", { msgtype: "m.file", body: "report.pdf", file: file.content?.["file"] });
  const inbound = await talk.next("inbound");
  talk.acknowledge(inbound);
  const handle = inbound.files?.[0]?.handle ?? "";
  talk.tell({ type: "get-file", ref: 1, handle, limit: 1_000 });
  expect((await talk.next("file")).text).toBe(bytes.toString());
  for (const [name, one] of home.media) {
    const changed = Uint8Array.from(one.bytes);
    changed[0] = (changed[0] ?? 0) ^ 1;
    home.media.set(name, { ...one, bytes: changed });
  }
  talk.tell({ type: "get-file", ref: 2, handle, limit: 1_000 });
  expect(await talk.next("file.failed")).toMatchObject({ ref: 2, reason: "refused" });
});

test("a login that another program has used for encryption is not taken", async () => {
  await using server = await MatrixServer.start();
  {
    await using talk = await connected(server);
    expect(talk.kept.length).toBeGreaterThan(0);
  }
  await using talk = AdapterTalk.local(matrix);
  const { homeserver, "access-token": token } = server.login;
  talk.start({ homeserver, "access-token": token }, { apiRoot: server.root });
  const refused = await talk.next("state");
  expect(refused).toMatchObject({ state: "refused" });
  expect(refused.text).toContain("wirken vault rotate matrix");
});

test("a stranger's invitation to talk alone is taken, one to a group is not before they are paired, also after a restart", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const talk = await connected(server);
  const alone = home.room(ADA, [server.user], { direct: true });
  const group = home.room(ADA, [server.user, "@bob:matrix.example"]);
  await expect.poll(() => home.membership(alone, server.user)).toBe("join");
  home.add({ room_id: alone, type: "m.room.message", sender: ADA, content: { msgtype: "m.text", body: "hi" } });
  talk.acknowledge(await talk.next("inbound"));
  expect(home.membership(group, server.user)).toBe("invite");
  await talk.next("cursor", ({ cursor }) => cursor.includes(group) && cursor.includes(`"s${home.log.length}"`));
  await talk[Symbol.asyncDispose]();
  await using again = await connected(server, talk);
  home.add({ room_id: alone, type: "m.room.message", sender: ADA, content: { msgtype: "m.text", body: "hi again" } });
  again.acknowledge(await again.next("inbound"));
  expect(home.membership(group, server.user)).toBe("invite");
  // The owner lets her in.
  again.paired.add(ADA);
  home.add({ room_id: alone, type: "m.room.message", sender: ADA, content: { msgtype: "m.text", body: "and now" } });
  again.acknowledge(await again.next("inbound"));
  await expect.poll(() => home.membership(group, server.user), { timeout: 10_000 }).toBe("join");
  // Where she is reached alone is known by then: no second room is made.
  again.tell({ type: "open-direct", ref: 1, user: ADA });
  expect(await again.next("direct")).toMatchObject({ place: alone });
});

test("where a third person comes, what is for one is not said there; and who takes us out is told of", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const room = home.room(ADA, [server.user]);
  home.member(room, server.user, server.user, "join");
  await using talk = await connected(server);
  expect(await talk.send(room, "for you alone")).toMatchObject({ type: "delivered" });
  home.member(room, ADA, "@bob:matrix.example", "invite");
  home.add({
    room_id: room,
    type: "m.room.message",
    sender: ADA,
    content: { msgtype: "m.text", body: `${server.user}: hi` },
  });
  const inbound = await talk.next("inbound");
  expect(inbound).toMatchObject({ place: `group:${room}`, talk: "group", text: "hi" });
  talk.acknowledge(inbound);
  expect(await talk.send(room, "for you alone")).toMatchObject({ type: "undelivered", reason: "refused" });
  home.member(room, ADA, server.user, "leave");
  expect(await talk.next("notice")).toMatchObject({ about: "removed" });
});

test("what one sync leaves out is read back, in order", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const room = home.room(ADA, [server.user]);
  home.member(room, server.user, server.user, "join");
  let before: AdapterTalk;
  {
    await using talk = await connected(server);
    before = talk;
    await talk.next("cursor");
  }
  home.timelineLimit = 5;
  const texts = Array.from({ length: 150 }, (_, i) => `number ${i}`);
  for (const body of texts)
    home.add({ room_id: room, type: "m.room.message", sender: ADA, content: { msgtype: "m.text", body } });
  await using talk = await connected(server, before);
  const heard: string[] = [];
  while (heard.length < texts.length) {
    const inbound = await talk.next("inbound");
    heard.push(inbound.text);
    talk.acknowledge(inbound);
  }
  expect(heard).toEqual(texts);
});

test("a room that goes on as another is followed, if that one says so too", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  const room = home.room(ADA, [server.user]);
  home.member(room, server.user, server.user, "join");
  await using talk = await connected(server);
  const trap = home.room("@eve:matrix.example", [server.user]);
  const tombstone = { room_id: room, type: "m.room.tombstone", sender: ADA, state_key: "" };
  home.add({ ...tombstone, content: { body: "", replacement_room: trap } });
  expect((await talk.next("notice")).text).toContain("was not entered");
  expect(home.membership(trap, server.user)).toBe("leave");
  const next = home.room(ADA, [server.user]);
  home.add({
    room_id: next,
    type: "m.room.create",
    sender: ADA,
    state_key: "",
    content: { predecessor: { room_id: room } },
  });
  home.add({ ...tombstone, content: { body: "", replacement_room: next } });
  expect(await talk.next("notice")).toMatchObject({ about: "removed", place: room });
  expect(home.membership(next, server.user)).toBe("join");
});

test("a message is found again by its key, and somebody is reached first in an encrypted room", async () => {
  await using server = await MatrixServer.start();
  const { home } = server;
  await using talk = await connected(server);
  talk.tell({ type: "open-direct", ref: 1, user: ADA });
  const { place } = await talk.next("direct");
  expect(home.state(place ?? "").get("m.room.encryption ")?.content).toEqual({ algorithm: "m.megolm.v1.aes-sha2" });
  const key = "m_00000000000000000000000001";
  const since = Date.now();
  const sent = await talk.send(place ?? "", "hello", { key });
  const ask = { type: "look-up", place: place ?? "", thread: null, since } as const;
  talk.tell({ ...ask, ref: 2, key });
  expect(await talk.next("looked-up")).toMatchObject({ outcome: "sent", ids: "ids" in sent ? sent.ids : [] });
  talk.tell({ ...ask, ref: 3, key: "m_00000000000000000000000002" });
  expect(await talk.next("looked-up")).toMatchObject({ outcome: "absent", ids: [] });
});
