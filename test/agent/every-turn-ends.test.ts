import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { BEFORE_START, type Say, step, type Turn } from "../../src/agent/loop.ts";
import { Agent, call, ends, replies } from "./turns.ts";

/** What a supervisor, a model and tools may do next, sensible or not. */
const Move = fc.oneof(
  { weight: 2, arbitrary: fc.record({ do: fc.constant("turn" as const), text: fc.string() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("delta" as const), text: fc.string(), late: fc.boolean() }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("answer" as const),
      text: fc.constantFrom("", " ", "Hello.", "Streamed and more"),
      calls: fc.integer({ min: 0, max: 4 }),
      stop: fc.constantFrom("stop" as const, "tool-calls" as const, "length" as const, "content-filter" as const),
      late: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("fail" as const) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant("result" as const), which: fc.nat({ max: 7 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stop" as const) }) },
);

/** Speaks to an agent as the moves say. @returns how many turns were begun, and every result that was given in time. */
function play(agent: Agent, moves: readonly (typeof Move extends fc.Arbitrary<infer M> ? M : never)[]) {
  let turns = 0;
  let made = 0;
  const given = new Map<string, string>();
  for (const move of moves) {
    const { now } = agent.turn;
    const ref = now.is === "asking" ? now.ref : 0;
    switch (move.do) {
      case "turn":
        turns++;
        agent.hear({ type: "turn", text: move.text });
        break;
      case "delta":
        agent.hear({ type: "delta", ref: move.late ? 1 : ref, text: move.text });
        break;
      case "answer": {
        const calls = Array.from({ length: move.calls }, () => call(`c${++made}`));
        agent.hear({
          type: "completed",
          ref: move.late ? 1 : ref,
          stop: move.stop,
          answer: { text: move.text, calls },
        });
        break;
      }
      case "fail":
        agent.hear({ type: "failed", ref, code: "other", sentence: "it failed" });
        break;
      case "result": {
        const waiting = now.is === "acting" ? now.calls.filter(({ result }) => result === null) : [];
        const one = waiting[move.which % Math.max(waiting.length, 1)];
        if (one === undefined) break;
        given.set(one.call.id, `result of ${one.call.id}`);
        agent.hear({ type: "result", ref: one.ref, outcome: "done", text: `result of ${one.call.id}` });
        break;
      }
      case "stop":
        agent.hear({ type: "turn.stop" });
        break;
    }
  }
  return { turns, given };
}

/** Whether each call is followed by its results, in order, and no result stands elsewhere. */
function isPaired(messages: readonly ChatMessage[]): boolean {
  const owed: string[] = [];
  for (const message of messages) {
    if (message.role === "tool") {
      if (owed.shift() !== message.call) return false;
    } else if (owed.length > 0) return false;
    else if (message.role === "assistant") owed.push(...message.calls.map(({ id }) => id));
  }
  return owed.length === 0;
}

/** Whether replies are opened, filled and closed one after another, the last before its turn ends. */
function repliesAreWhole(said: readonly Say[]): boolean {
  let open = 0;
  for (const say of said) {
    if (say.type === "reply") {
      if (open !== 0) return false;
      open = say.ref;
    }
    if ((say.type === "reply.text" || say.type === "reply.end") && say.ref !== open) return false;
    if (say.type === "turn.end" && open !== 0) return false;
    if (say.type === "reply.end") open = 0;
  }
  return open === 0;
}

test("whatever happens, no tool result is lost and call and result stay together", () => {
  fc.assert(
    fc.property(fc.array(Move, { maxLength: 80 }), (moves) => {
      const agent = new Agent();
      const { given } = play(agent, moves);
      agent.hear({ type: "turn.stop" });
      expect(isPaired(agent.messages)).toBe(true);
      const texts = new Map(
        agent.messages.filter((message) => message.role === "tool").map(({ call: id, text }) => [id, text]),
      );
      for (const [id, text] of given) expect(texts.get(id)).toBe(text);
      const requests = agent.said.filter((say) => say.type === "complete");
      expect(requests.every(({ request }) => isPaired(request.messages))).toBe(true);
    }),
    { seed: 3, numRuns: 2000 },
  );
});

test("whatever happens, each turn ends once, each reply is opened and closed, and no ref is used twice", () => {
  fc.assert(
    fc.property(fc.array(Move, { maxLength: 80 }), (moves) => {
      const agent = new Agent();
      const { turns } = play(agent, moves);
      // The turn that runs, and those that wait.
      for (let left = turns; left > 0; left--) agent.hear({ type: "turn.stop" });
      expect(agent.turn.now.is).toBe("idle");
      expect(ends(agent.said)).toHaveLength(turns);

      expect(repliesAreWhole(agent.said)).toBe(true);
      for (const text of replies(agent.said)) expect(text).toMatch(/\S/);
      const refs = agent.said
        .filter((say) => say.type === "complete" || say.type === "tool" || say.type === "reply")
        .map(({ ref }) => ref);
      expect(new Set(refs).size).toBe(refs.length);
    }),
    { seed: 5, numRuns: 2000 },
  );
});

test("a model that never stops calling tools, and one that never says anything, come to an end by themselves", () => {
  for (const calls of [1, 0]) {
    const agent = new Agent({ rounds: 20 });
    agent.hear({ type: "turn", text: "go" });
    let steps = 0;
    while (agent.turn.now.is !== "idle" && steps++ < 1000) {
      const { now } = agent.turn;
      if (now.is === "asking") agent.answer({ calls: calls === 1 ? [call(`c${steps}`)] : [] });
      else for (const { ref } of now.calls) agent.hear({ type: "result", ref, outcome: "done", text: "ok" });
    }
    expect(steps).toBeLessThan(50);
    expect(ends(agent.said)).toHaveLength(1);
  }
});

/** Rounds of tools in each turn: calls of one answer are one round. */
function roundsOf(said: readonly Say[]): number[] {
  const groups: Set<number>[] = [new Set()];
  for (const say of said) {
    if (say.type === "tool") groups.at(-1)?.add(say.group);
    if (say.type === "turn.end") groups.push(new Set());
  }
  return groups.map(({ size }) => size);
}

test("whatever happens, a turn has no more rounds of tools than it may", () => {
  let most = 0;
  let stopped = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 }), fc.array(Move, { maxLength: 80 }), (rounds, moves) => {
      const agent = new Agent({ rounds });
      play(agent, moves);
      for (const made of roundsOf(agent.said)) {
        expect(made).toBeLessThanOrEqual(rounds);
        most = Math.max(most, made);
      }
      stopped += ends(agent.said).filter(({ reason }) => reason === "rounds").length;
    }),
    { seed: 7, numRuns: 2000 },
  );
  // The moves do reach the limit.
  expect(most).toBe(2);
  expect(stopped).toBeGreaterThan(0);
});

test("a stop at any moment ends the turn that runs, at once and with nothing asked for after it", () => {
  const running = { asking: 0, acting: 0 };
  fc.assert(
    fc.property(fc.array(Move, { maxLength: 60 }), (moves) => {
      const agent = new Agent();
      play(agent, moves);
      const { now, waiting } = agent.turn;
      if (now.is === "idle") {
        expect(agent.hear({ type: "turn.stop" })).toEqual([]);
        return;
      }
      running[now.is] += 1;
      const said = agent.hear({ type: "turn.stop" });
      const at = said.findIndex(({ type }) => type === "turn.end");
      expect(said[at]).toMatchObject({ type: "turn.end", reason: "stopped" });
      // Before the end of the turn it asks for nothing; what comes behind it is the next turn's.
      expect(said.slice(0, at).every(({ type }) => type.startsWith("reply"))).toBe(true);
      expect(said.slice(at + 1).map(({ type }) => type)).toEqual(waiting.length === 0 ? [] : ["complete"]);
      expect(isPaired(agent.messages)).toBe(true);
    }),
    { seed: 9, numRuns: 2000 },
  );
  // Both were stopped, and not once.
  expect(Math.min(running.asking, running.acting)).toBeGreaterThan(100);
});

test("the same events give the same state and the same words, however often they are played, and no event is changed by it", () => {
  fc.assert(
    fc.property(fc.array(Move, { maxLength: 60 }), (moves) => {
      const agent = new Agent();
      play(agent, moves);
      const before = JSON.stringify(agent.heard);
      let turn: Turn = BEFORE_START;
      const said: Say[] = [];
      for (const heard of agent.heard) {
        const next = step(Object.freeze(turn), Object.freeze(heard));
        turn = next.turn;
        said.push(...next.say);
      }
      expect(turn).toEqual(agent.turn);
      expect(said).toEqual(agent.said);
      expect(JSON.stringify(agent.heard)).toBe(before);
    }),
    { seed: 11, numRuns: 1000 },
  );
});
