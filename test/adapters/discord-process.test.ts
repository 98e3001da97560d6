import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AdapterTalk, programOf } from "../support/adapter-talk.ts";
import { DiscordServer } from "../support/discord-server/discord-server.ts";
import { IDS } from "../support/discord-server/people.ts";

/** The adapter as a process of its own, confined, with a lane as its only way to Discord: the SDK's line goes by it, too. */

let program: Awaited<ReturnType<typeof programOf>>;
beforeAll(async () => {
  program = await programOf("discord");
});
afterAll(() => program[Symbol.dispose]());

const MIB = 1_048_576;
/** Bytes that it takes and nobody else has a share of: how many others run the same program says nothing about it. */
const MAX_OWN = 60 * MIB;

function ownMemoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(rollup)?.[1]) * 1_024;
  return of("Private_Clean") + of("Private_Dirty");
}

test("a session goes on in the next process: what was written while there was none comes in, and nothing twice", async () => {
  await using server = await DiscordServer.start();
  const secrets = { "bot-token": server.token };
  const { apiRoot } = server;
  let cursor: string;
  {
    await using talk = AdapterTalk.process("discord", program.code);
    talk.start(secrets, { apiRoot });
    await talk.next("state", ({ state }) => state === "connected");
    server.direct("first");
    talk.acknowledge(await talk.next("inbound"));
    ({ cursor } = await talk.next("cursor", (frame) => frame.cursor.includes(server.messages.at(-1)?.id ?? "")));
    server.direct("second");
    await talk.next("inbound");
    process.kill(talk.child.pid ?? 0, "SIGKILL");
    expect(await talk.exited).toMatchObject({ signal: "SIGKILL" });
    expect(talk.printed).toEqual([]);
  }
  server.direct("while it was dead");
  await using talk = AdapterTalk.process("discord", program.code);
  talk.start(secrets, { apiRoot, cursor });
  const again = await talk.next("inbound");
  expect(again.text).toBe("second");
  talk.acknowledge(again, true);
  expect((await talk.next("inbound")).text).toBe("while it was dead");
  await talk.next("state", ({ state }) => state === "connected");
  expect(talk.said.filter(({ type }) => type === "inbound")).toHaveLength(2);
  expect(server.gateway.asked.filter((what) => what === "identify")).toHaveLength(1);
});

test("it takes at most sixty megabytes, answers, and ends with what was said", async () => {
  await using server = await DiscordServer.start();
  await using talk = AdapterTalk.process("discord", program.code);
  talk.start({ "bot-token": server.token }, { apiRoot: server.apiRoot });
  await talk.next("state", ({ state }) => state === "connected");
  for (let i = 0; i < 20; i++) {
    server.direct(`message ${i}`);
    talk.acknowledge(await talk.next("inbound"));
    expect(await talk.send(IDS.ada, `answer **${i}**`)).toMatchObject({ type: "delivered" });
  }
  const own = ownMemoryOf(talk.child.pid ?? 0);
  expect(own).toBeGreaterThan(0);
  expect(own).toBeLessThan(MAX_OWN);
  expect(await talk.child.stop()).toMatchObject({ status: 0, signal: null });
  expect(server.shown).toHaveLength(20);
  expect(talk.printed).toEqual([]);
});

test("a check of credentials answers and ends", async () => {
  await using server = await DiscordServer.start();
  await using talk = AdapterTalk.process("discord", program.code);
  talk.start({ "bot-token": server.token }, { check: true, apiRoot: server.apiRoot });
  expect(await talk.next("checked")).toMatchObject({ failure: null, account: "@wirken" });
  expect(await talk.exited).toMatchObject({ status: 0 });
  expect(server.gateway.asked).toEqual([]);
});
