import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import type { Ran } from "../support/daemon.ts";
import { MatrixServer } from "../support/matrix-server.ts";
import { NioPeer } from "../support/nio-peer.ts";
import { Spine } from "../support/spine.ts";

/** Matrix, in an encrypted room, with a person whose program is not ours: what the two say the homeserver cannot read, and it stays so after a crash. */

const Added = z.object({ owner: z.object({ code: z.string() }) });
const Listed = z.object({ credentials: z.array(z.object({ scope: z.string(), names: z.array(z.string()) })) });
const ADA = "@ada:matrix.example";

let spine: Spine;
let matrix: MatrixServer;
let ada: NioPeer;
let room: string;
let added: Ran;

beforeAll(async () => {
  matrix = await MatrixServer.start();
  [spine, ada] = await Promise.all([Spine.start({ channels: [], owner: false }), NioPeer.start(matrix, ADA)]);
});
afterAll(async () => {
  await ada[Symbol.asyncDispose]();
  await spine[Symbol.asyncDispose]();
  await matrix[Symbol.asyncDispose]();
});

async function heard(words: string): ReturnType<NioPeer["next"]> {
  return await ada.next((line) => line.heard?.includes(words) === true && line.encrypted === true);
}

/** It compiles its encryption first: on a busy machine that takes its time. */
async function isConnected(): Promise<boolean> {
  const { channels } = await spine.status();
  return channels.some(({ channel, state }) => channel === "matrix" && state === "connected");
}

test("a name and a password are enough to enrol it, of which the vault keeps what the homeserver gave for them", async () => {
  const enrol = async (...how: string[]) =>
    await spine.daemon.wirken(["vault", "add", "matrix", "--stdin", "--json", ...how], {
      stdin: `${matrix.root}\n${matrix.user}\n${matrix.password ?? ""}\n`,
    });
  const unchecked = await enrol("--no-check");
  expect(unchecked.status).not.toBe(0);
  expect(unchecked.stderr).toContain("a password is not kept");
  const device = matrix.device;
  added = await enrol();
  expect(added.status, added.stderr).toBe(0);
  expect(matrix.device).not.toBe(device);
  const kept = Listed.parse(await spine.daemon.json("vault", "list"));
  const names = kept.credentials.find(({ scope }) => scope === "channel/matrix")?.names ?? [];
  expect(names).toEqual(expect.arrayContaining(["homeserver", "access-token", "refresh-token"]));
  expect(names.filter((name) => name === "password" || name === "user")).toEqual([]);
});

test("the owner is known by a code, and is answered where they invited the bot to", async () => {
  await spine.eventually("matrix connected", isConnected, 60_000);
  room = matrix.home.room(ADA, [matrix.user], { encrypted: true, direct: true });
  await spine.eventually("the bot in the room", () => matrix.home.membership(room, matrix.user) === "join");
  await ada.send(room, Added.parse(JSON.parse(added.stdout)).owner.code);
  await heard("linked as the owner");
  spine.model.script("list my files", { text: "There are **none**." });
  await ada.send(room, "list my files");
  expect(await heard("There are none.")).toMatchObject({ room });
});

test("what is asked there is approved there by words that only the two can read", async () => {
  spine.model.script(
    "keep a note",
    { calls: [{ name: "write_file", arguments: { path: "note.txt", content: "kept\n" } }] },
    { text: "the note is kept" },
  );
  await ada.send(room, "keep a note");
  const how = await heard("Answer: approve ");
  const code = /approve (\w+)/.exec(how.heard ?? "")?.[1] ?? "";
  // The homeserver makes up a yes of hers.
  const card = matrix.home.events(room).findLast(({ type }) => type === "m.reaction")?.content["m.relates_to"];
  matrix.home.add({
    room_id: room,
    type: "m.reaction",
    sender: ADA,
    content: { "m.relates_to": { ...Object(card), key: "✅" } },
  });
  await heard("could have made it up");
  expect(await spine.calls()).toBe(0);
  await ada.send(room, `approve ${code}`);
  await heard("the note is kept");
  expect(await spine.calls()).toBe(1);
});

test("after a crash it has its keys, and what was written meanwhile is answered", async () => {
  await spine.stop("SIGKILL");
  spine.model.script("while you were away", { text: "I am back." });
  await ada.send(room, "while you were away");
  await spine.restart();
  await heard("I am back.");
  const open = matrix.home.events(room).filter(({ type }) => type === "m.room.message");
  expect(open).toEqual([]);
  // Who she is stands in what is sealed, and in no row.
  expect(JSON.stringify((await spine.rows()).map(({ fields }) => fields))).not.toContain(ADA);
});
