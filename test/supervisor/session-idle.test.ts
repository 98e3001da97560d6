import { expect, test } from "vitest";
import { newTalk } from "./talk-world.ts";

const HOUR = 3_600_000;

test("a session that was silent for eight hours is over, and what is written then begins another", async () => {
  const { world, say, clock, state } = await newTalk();
  const first = await say("/help");
  clock.advance(8 * HOUR - 60_000);
  expect(await say("/help")).toBe(first);
  // Counted from the last word, not from the first.
  clock.advance(8 * HOUR - 60_000);
  expect(await say("/help")).toBe(first);
  expect(world.rows("session.closed")).toEqual([]);
  clock.advance(8 * HOUR);
  const second = await say("/help");
  expect(second).not.toBe(first);
  expect(world.rows("session.closed").map(({ action }) => action)).toMatchObject([{ session: first, reason: "idle" }]);
  expect(state.isOpen(first)).toBe(false);
  expect(state.isOpen(second)).toBe(true);
});

test("what a session held ends with it: at /new, and after eight hours of silence", async () => {
  const { world, say, clock, state } = await newTalk();
  const silence = (): Promise<void> => {
    clock.advance(8 * HOUR + 60_000);
    return Promise.resolve();
  };
  for (const end of [async () => void (await say("/new")), silence]) {
    const first = await say("/help");
    await world.labels.of(first).raise({ untrusted: true, private: [world.principal] }, 0);
    expect(state.labelledSessions()).toEqual([first]);
    await end();
    const second = await say("/help");
    expect(second).not.toBe(first);
    expect(world.labels.of(second).now).toEqual({ untrusted: false, private: [] });
    expect(state.labelledSessions()).toEqual([]);
  }
});
