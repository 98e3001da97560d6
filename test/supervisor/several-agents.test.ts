import { expect, test } from "vitest";
import { newTalk } from "./talk-world.ts";

const SENTENCE = "You may not talk to agent coder.";

test("somebody whom an agent is not for is told so, and nothing of what they wrote is recorded or done", async () => {
  const { world, say, agent, shown, marks } = await newTalk({
    agent: () => "coder",
    refusal: (name) => (name === "coder" ? { sentence: SENTENCE, gone: false } : null),
  });
  await say("the secret plan", undefined, { dedupe: "one" });
  await expect.poll(() => shown.at(-1)).toBe(SENTENCE);
  expect(marks).toContain("one refused");
  expect(world.rows("message.received")).toEqual([]);
  expect(world.rows("message.refused").map(({ action }) => action)).toMatchObject([
    { reason: "other-agent", times: 1 },
  ]);
  expect(agent.turns).toEqual([]);
  // What takes authority away always works.
  await say("/stop");
  await expect.poll(() => shown.at(-1)).toBe("Nothing is running here.");
});

test("a message that waits for an agent which is not for its writer any more is answered truthfully and not begun", async () => {
  let refused = false;
  const { world, say, agent, shown, state } = await newTalk({
    refusal: () => (refused ? { sentence: SENTENCE, gone: false } : null),
  });
  await say("the first");
  await expect.poll(() => agent.turns).toEqual(["the first"]);
  await say("the second");
  refused = true;
  agent.done();
  await expect.poll(() => shown.at(-1)).toBe(SENTENCE);
  await expect.poll(() => world.rows("turn.ended").at(-1)?.action).toMatchObject({ reason: "denied", rounds: 0 });
  expect(agent.turns).toEqual(["the first"]);
  expect(state.waiting()).toEqual([]);
});

test("a conversation that another agent answers in from now on begins a session of that agent's", async () => {
  let bound = "default";
  const { world, say, agent } = await newTalk({ agent: () => bound });
  await say("the first");
  await expect.poll(() => agent.turns).toEqual(["the first"]);
  agent.done();
  await expect.poll(() => world.rows("turn.ended").length).toBe(1);
  bound = "coder";
  await say("the second");
  await expect.poll(() => world.rows("session.opened").length).toBe(2);
  expect(world.rows("session.opened").map(({ action }) => action)).toMatchObject([
    { agent: "default" },
    { agent: "coder" },
  ]);
});
