import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { IDS, SignalServer } from "../support/signal-server.ts";
import { Spine } from "../support/spine.ts";

const Added = OPERATOR_ANSWERS["vault.add"];
const Status = OPERATOR_ANSWERS["channel.status"];

let signal: SignalServer;
let spine: Spine;

beforeAll(async () => {
  signal = await SignalServer.start();
  spine = await Spine.start({ channels: [], owner: false });
  const stdin = `${signal.account}\n127.0.0.1:${signal.port}\n`;
  const ran = await spine.daemon.wirken(["vault", "add", "signal", "--stdin", "--json"], { stdin });
  await spine.connected("signal");
  signal.note(Added.parse(JSON.parse(ran.stdout)).owner?.code ?? "");
  await spine.eventually("the owner linked", () => told("linked as the owner"));
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
  await signal[Symbol.asyncDispose]();
});

const told = (words: string): boolean => signal.shown.some(({ to, text }) => to === "self" && text.includes(words));

function attached(name: string, bytes: Buffer): { attachments: object[] } {
  signal.stored.set(`stored-${name}`, bytes);
  return {
    attachments: [{ contentType: "image/png", filename: name, id: `stored-${name}`, size: bytes.length }],
  };
}

test("a file of somebody who is not known is not fetched", async () => {
  signal.direct("look at this", IDS.bob, "Bob", attached("virus.exe", Buffer.from("MZ")));
  await spine.eventually("its refusal", async () => (await spine.rows("message.refused")).length > 0);
  expect(signal.calls).not.toContain("getAttachment");
  expect(await spine.rows("file.fetching")).toEqual([]);
});

test("a file of the owner lies in their workspace, as what its bytes are, and the agent is told of it", async () => {
  const bytes = Buffer.from("name,amount\nAda,3\n");
  spine.model.script("add these up", { text: "Three." });
  signal.note("add these up", attached("table.csv", bytes));
  await spine.eventually("an answer", () => told("Three."));
  expect(spine.model.heard).toContain("inbox/table.csv (text/plain, 18 bytes)");
  const [row] = await spine.rows("file.fetched");
  expect(row?.fields).toMatchObject({ bytes: 18, type: "text/plain" });
  const owner = (await spine.rows("message.received")).at(-1)?.fields["principal"];
  const inbox = join(spine.daemon.data, "workspaces", String(owner), "default", "inbox", "table.csv");
  expect(readFileSync(inbox)).toEqual(bytes);
  expect(existsSync(`${inbox}.tmp`)).toBe(false);
});

test("what was written while nobody was there is asked about, and not done before yes", async () => {
  spine.model.script("pay the bill", { text: "It is paid." });
  signal.late(20 * 60_000, () => signal.note("pay the bill"));
  await spine.eventually("the question", () => told("I was away; shall I still do this?"));
  expect(told("It is paid.")).toBe(false);
  await spine.restart();
  await spine.connected("signal");
  signal.note("yes");
  await spine.eventually("an answer", () => told("It is paid."));
});

test("a channel is tested by a message that is answered, and says how it has been", async () => {
  const testing = spine.daemon.wirken(["channel", "test", "signal"]);
  await spine.eventually("the test message", () => told("This is a test that was asked for on the terminal"));
  signal.note("it works");
  const ran = await testing;
  expect(ran.stdout, ran.stderr).toContain("answered");
  expect(ran.status).toBe(0);
  await spine.eventually("thanks", () => told("this channel works in both directions"));
  const { channels } = Status.parse(JSON.parse((await spine.daemon.wirken(["channel", "status", "--json"])).stdout));
  const one = channels.find(({ channel }) => channel.channel === "signal");
  expect(one).toMatchObject({ channel: { state: "connected" }, health: { failed: 0, redelivered: 0 } });
  expect([one?.health.connectedSince, one?.health.lastIn, one?.health.lastOut]).not.toContain(null);
  expect((await spine.daemon.wirken(["channel", "status"])).stdout).toContain("connected since");
});
