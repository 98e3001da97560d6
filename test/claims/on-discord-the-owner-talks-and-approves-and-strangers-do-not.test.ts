import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import { DiscordServer, type Message } from "../support/discord-server/discord-server.ts";
import { ADA, BOB, IDS } from "../support/discord-server/people.ts";
import { Spine } from "../support/spine.ts";

/** Discord, by its own SDK in a process of its own: whoever is paired talks there and decides there, and nobody else does. */

const Added = z.object({ owner: z.object({ code: z.string() }) });
const SECRET_WORDS = "zebra quartz monolith";

let spine: Spine;
let discord: DiscordServer;

beforeAll(async () => {
  discord = await DiscordServer.start();
  spine = await Spine.start({ channels: [], owner: false });
  spine.changeConfig((config) => ({
    ...config,
    channels: { ...config.channels, discord: { enabled: true, apiRoot: discord.apiRoot } },
  }));
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
  await discord[Symbol.asyncDispose]();
});

async function shown(words: string, channel: string = IDS.ada): Promise<Message> {
  return await spine.eventually(`“${words}” shown on Discord`, () =>
    discord.shown.find((one) => one.channel === channel && one.content.includes(words)),
  );
}

test("the owner is known by a code, talks there alone, and is answered in a thread where they call it", async () => {
  const added = await spine.daemon.wirken(["vault", "add", "discord", "--stdin", "--json"], { stdin: discord.token });
  expect(added.status, added.stderr).toBe(0);
  await spine.connected("discord");
  discord.direct(Added.parse(JSON.parse(added.stdout)).owner.code);
  await shown("linked as the owner");
  spine.model.script("list my files", { text: "There are **none**." });
  discord.direct("list my files");
  await shown("There are **none**.");
  spine.model.script("who is on call", { text: "Nobody is." });
  discord.mention("who is on call", {}, ADA, IDS.thread);
  await shown("Nobody is.", IDS.thread);
});

test("what is asked there is decided there, by its owner and nobody else, and the card says what became of it", async () => {
  spine.model.script(
    "keep a note",
    { calls: [{ name: "write_file", arguments: { path: "note.txt", content: "kept\n" } }] },
    { text: "the note is kept" },
  );
  discord.direct("keep a note");
  const card = await spine.eventually("a card with buttons", () =>
    discord.shown.find(({ buttons }) => buttons.length > 0),
  );
  const answerTo = async (interaction: string): Promise<string> =>
    await spine.eventually(
      "an answer to a press",
      () => discord.answers.find((one) => one.interaction === interaction)?.text,
    );
  expect(await answerTo(discord.press(card, "Approve", BOB))).not.toContain("approved");
  expect(await spine.calls()).toBe(0);
  expect(await answerTo(discord.press(card, "Approve"))).toBe("approved");
  await shown("the note is kept");
  const decided = await spine.eventually("the card decided", () =>
    discord.shown.find(({ id, buttons }) => id === card.id && buttons.length === 0),
  );
  expect(decided.content).toMatch(/approved/i);
  expect(discord.answers.every(({ alone }) => alone)).toBe(true);
});

test("a stranger gets a code alone and nothing in a server, and no model hears of them", async () => {
  const before = spine.model.requests;
  discord.direct(SECRET_WORDS, {}, BOB);
  await shown("I do not know you yet", IDS.bob);
  discord.mention(SECRET_WORDS, {}, BOB);
  await spine.eventually("both refused", async () => (await spine.rows("message.refused")).length >= 1);
  expect(discord.shown.filter(({ channel }) => channel === IDS.channel)).toEqual([]);
  expect(spine.model.requests).toBe(before);
  expect(JSON.stringify(await spine.rows())).not.toContain("zebra");
});

test("a session goes on after a crash: what was written meanwhile is answered, and nothing twice", async () => {
  spine.model.script("while you were away", { text: "I am back." });
  const before = discord.shown.length;
  await spine.stop("SIGKILL");
  discord.direct("while you were away");
  await spine.restart();
  await shown("I am back.");
  expect(discord.shown.slice(before).filter(({ content }) => content === "I am back.")).toHaveLength(1);
  expect(discord.gateway.asked.filter((what) => what === "identify")).toHaveLength(1);
  expect(discord.previewed).toEqual([]);
});
