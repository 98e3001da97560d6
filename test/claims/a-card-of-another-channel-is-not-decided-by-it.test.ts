import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ApprovalView } from "../../src/ipc/operator.ts";
import { encodeFrame } from "../../src/ipc/frame.ts";
import { HostileDaemon, type Row } from "../support/hostile-daemon.ts";
import { SlackServer } from "../support/slack-server/slack-server.ts";
import { SLACK_OWNER } from "../support/spine.ts";
import { OPERATOR_ANSWERS } from "../../src/ipc/operator.ts";
import { ownWorkspace } from "../support/own-workspace.ts";

/** The Telegram adapter was taken over, and the owner is linked there too: whatever it says, it can say as the owner. Slack's is honest. */

const OWNER = "42";

let slack: SlackServer;
let hostile: HostileDaemon;
let refs = 1_000;

beforeAll(async () => {
  slack = await SlackServer.start({ retryMs: 1_000 });
  hostile = await HostileDaemon.start({ channels: { slack: { enabled: true, apiRoot: slack.apiRoot } } });
  const added = await hostile.daemon.wirken(["vault", "add", "slack", "--stdin", "--json"], {
    stdin: `${slack.tokens["bot-token"]}\n${slack.tokens["app-token"]}`,
  });
  const code = OPERATOR_ANSWERS["vault.add"].parse(JSON.parse(added.stdout)).owner?.code ?? "";
  await hostile.eventually("Slack connected", () => (slack.lines > 0 ? true : undefined));
  slack.direct(code, SLACK_OWNER);
  await posted("linked as the owner");
  await hostile.orders.give({ do: "connect" });
  await inbound(`/start ${hostile.code}`);
  await hostile.eventually("the owner linked on both", async () =>
    (await hostile.rows("identity.linked")).length === 2 ? true : undefined,
  );
}, 180_000);

afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
  await slack?.[Symbol.asyncDispose]();
});

async function posted(words: string): Promise<string> {
  return await hostile.eventually(
    `“${words}” on Slack`,
    () => slack.posted.find((one) => one.channel === SLACK_OWNER.channel && one.text.includes(words))?.text,
  );
}

async function inbound(text: string, sender = OWNER): Promise<unknown> {
  return await hostile.orders.give({ do: "inbound", sender, text, dedupe: `said ${refs++}` });
}

/** A press of a button as the platform's code would report it, past that code: on the pipe of the Telegram adapter. */
async function press(card: string, more: { decision?: "approve" | "approve-session" | "deny"; sender?: string } = {}) {
  const { decision = "approve", sender = OWNER } = more;
  const ref = refs++;
  const where = { place: sender, thread: null, sender, senderName: "Ada", dedupe: `press ${ref}` };
  const bytes = encodeFrame({ type: "pressed", ref, ...where, card, decision }, new Uint8Array(0));
  await hostile.orders.spend({ do: "write", bytes: Buffer.from(bytes).toString("base64"), spins: false });
  // It takes the next order when this one is written; frames of one pipe are taken in order, so this is behind it.
  expect(await inbound("/help", "behind")).toBe("acknowledged");
}

/** A request that waits. @param mark names its file. */
async function asked(mark: string): Promise<ApprovalView> {
  return await hostile.eventually(`a card for ${mark}`, async () => {
    const { approvals } = await hostile.line.call({ call: "approvals.list" });
    return approvals.find(({ card }) => card.includes(mark));
  });
}

function wish(mark: string): string {
  return `run with write access sh -c 'echo once >> ${mark}'`;
}
function file(mark: string): string {
  return join(ownWorkspace(hostile.daemon.data), mark);
}

async function newest(): Promise<number> {
  return (await hostile.rows()).at(-1)?.seq ?? 0;
}
async function after(seq: number, kind: string): Promise<Row[]> {
  return (await hostile.rows(kind)).filter((row) => row.seq > seq);
}

test("a press of a card that was sent on its own pipe is taken, so what is refused is the other channel's", async () => {
  expect(await inbound(wish("own"))).toBe("acknowledged");
  const { approval } = await asked("own");
  await press(approval);
  await hostile.eventually("it ran", () => (existsSync(file("own")) ? true : undefined));
  expect((await hostile.rows("approval.decided")).at(-1)?.fields).toMatchObject({ approval, via: "telegram" });
});

test("a card that was sent on another channel's pipe waits on, whoever presses and whatever is claimed", async () => {
  slack.direct(wish("theirs"), SLACK_OWNER);
  const { approval, code } = await asked("theirs");
  await posted(`approve ${code}`);
  const seq = await newest();

  for (const decision of ["approve", "approve-session", "deny"] as const) await press(approval, { decision });
  await press(approval);
  await press(approval, { sender: "nobody-we-know" });
  for (const forged of ["ap_00000000000000000000000000", approval.toLowerCase(), code, `${approval} `, "slack"])
    await press(forged);
  for (const words of [`approve ${code}`, `deny ${code}`, `approve ${approval}`])
    expect(await inbound(words)).toBe("acknowledged");

  expect(await after(seq, "approval.decided")).toEqual([]);
  expect(await after(seq, "tool.called")).toEqual([]);
  expect(existsSync(file("theirs"))).toBe(false);
  expect((await asked("theirs")).approval).toBe(approval);
  // One row per source and minute.
  const refused = (await after(seq, "message.refused")).filter(({ fields }) => fields["reason"] === "foreign-press");
  expect(refused.map(({ fields, content }) => [fields["channel"], content["sender"]])).toEqual([
    ["telegram", OWNER],
    ["telegram", "nobody-we-know"],
  ]);

  // The honest one then counts, once.
  slack.direct(`approve ${code}`, SLACK_OWNER);
  await hostile.eventually("it ran", async () => (await after(seq, "tool.finished"))[0]);
  expect((await after(seq, "approval.decided")).map(({ fields }) => fields)).toMatchObject([
    { approval, decision: "approved", via: "slack" },
  ]);

  // Late, and twice.
  await press(approval);
  await press(approval, { decision: "deny" });
  slack.direct(`approve ${code}`, SLACK_OWNER);
  await posted("approved already");
  expect(await after(seq, "approval.decided")).toHaveLength(1);
  expect(await after(seq, "tool.called")).toHaveLength(1);
  expect(readFileSync(file("theirs"), "utf8")).toBe("once\n");
  expect(await hostile.ends()).toEqual([]);
});
