import { afterAll, beforeAll, expect, test } from "vitest";
import * as z from "zod/mini";
import { IDS, SignalServer } from "../support/signal-server.ts";
import { Spine } from "../support/spine.ts";

/** On Signal the account is its owner's own: the owner talks with the agent by writing to themselves, and whoever else writes there writes to a person. */

const Added = z.object({ owner: z.object({ code: z.string() }) });
const SECRET_WORDS = "zebra quartz monolith";

let spine: Spine;
let signal: SignalServer;

beforeAll(async () => {
  signal = await SignalServer.start();
  spine = await Spine.start({ channels: [], owner: false });
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
  await signal[Symbol.asyncDispose]();
});

const told = (words: string): boolean => signal.shown.some(({ to, text }) => to === "self" && text.includes(words));

test("the owner is known by a code that they write to themselves, and is answered there", async () => {
  const stdin = `${signal.account}\n127.0.0.1:${signal.port}\n`;
  const ran = await spine.daemon.wirken(["vault", "add", "signal", "--stdin", "--json"], { stdin });
  expect(ran.status, ran.stderr).toBe(0);
  const { owner } = Added.parse(JSON.parse(ran.stdout));
  await spine.connected("signal");
  signal.note(owner.code);
  await spine.eventually("the owner linked", () => told("linked as the owner"));
  spine.model.script("list my files", { text: "There are none." });
  signal.note("list my files");
  await spine.eventually("an answer", () => told("There are none."));
});

test("a stranger gets no code and no word, and their refusal is on the log", async () => {
  const before = signal.shown.length;
  signal.direct(SECRET_WORDS, IDS.bob, "Bob");
  signal.direct(`${SECRET_WORDS} again`, IDS.bob, "Bob");
  const refused = async (): Promise<number> =>
    (await spine.rows("message.refused")).filter(({ fields }) => fields["channel"] === "signal").length;
  await spine.eventually("the refusal", async () => (await refused()) > 0);
  await spine.eventually("everything taken in", () => signal.pending === 0);
  expect(signal.shown).toHaveLength(before);
  expect(signal.calls).not.toContain("sendReceipt");
  expect(await spine.rows("pair.requested")).toEqual([]);
  expect(JSON.stringify(await spine.rows())).not.toContain(SECRET_WORDS);
});

test("its process reaches signal-cli and nothing else", async () => {
  const shown = await spine.daemon.wirken(["egress", "show", "adapter:signal"]);
  expect(shown.stdout).toContain(`127.0.0.1:${signal.port}`);
});
