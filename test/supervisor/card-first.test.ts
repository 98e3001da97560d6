import { expect, test } from "vitest";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { mint } from "../../src/ipc/ids.ts";
import { soon } from "../support/soon.ts";
import { newDesk } from "./desk-world.ts";

const SLACK = AdapterChannel.parse("slack");

/** Ada has asked on Telegram for what is asked every time, and is linked on Slack, where she never wrote. */
async function asked(opens: "a conversation" | "nothing") {
  const made = await newDesk();
  const { world, desk, broker, context, owner, opening } = made;
  await world.log.append(
    { kind: "identity.linked", principal: owner.principal, channel: SLACK },
    { cause: null, content: { sender: "U0ADA", name: "Ada" } },
  );
  const opened: string[] = [];
  opening(async (channel, user) => {
    opened.push(`${channel} ${user}`);
    if (opens === "nothing") return null;
    const conversation = mint("conversation");
    await world.log.append(
      { kind: "conversation.opened", conversation, channel: SLACK, talk: "direct" },
      { cause: null, content: { place: "D0ADA\n" } },
    );
    return world.state.conversation(conversation);
  });
  const stop = new AbortController();
  const call = broker.tool(
    { ...context, signal: stop.signal },
    {
      group: 1,
      name: "write_file",
      call: "call-1",
      arguments: new TextEncoder().encode(JSON.stringify({ path: "AGENTS.md", content: "x" })),
    },
  );
  await soon(() => expect(made.told).not.toEqual([]));
  const [waiting] = desk.list("terminal");
  stop.abort();
  await call;
  return { ...made, opened, waiting };
}

test("a card opens the conversation with somebody who is linked on a channel and never wrote there", async () => {
  const { opened, cards, told } = await asked("a conversation");
  expect(opened).toEqual(["slack U0ADA"]);
  expect(cards.map(({ channel }) => channel)).toEqual(["slack"]);
  expect(told[0]).toBe("Waiting for an approver: this is decided by an approver (shown on slack).");
});

test("where their platform knows no way, whoever asked is told where it is decided, and it waits there", async () => {
  const { cards, told, waiting } = await asked("nothing");
  expect(cards).toEqual([]);
  expect(told[0]).toBe("Waiting for an approver: this is decided on the page or the terminal.");
  expect(waiting).toMatchObject({ key: "file.write:protected", decidable: true });
});
