import { expect, test } from "vitest";
import type { ToAgent } from "../../src/ipc/agent-frames.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { AgentProcess } from "../../src/supervisor/agent-pool.ts";

const packed = packRequest({ instructions: "", tools: [], messages: [{ role: "user", text: "hello" }] }, 0);

/** An agent's process as the supervisor holds it; what it is told, how it ended, and which conversations were said to be over. */
function held() {
  const told: ToAgent[] = [];
  const broke: string[] = [];
  const over: number[] = [];
  const letGo = Promise.withResolvers<void>();
  const agent = new AgentProcess(
    {
      send: (frame) => {
        told.push(frame);
        return Promise.resolve();
      },
      end: (_, detail) => void broke.push(detail),
      stop: () => Promise.resolve(),
    },
    async (conversation) => {
      over.push(conversation);
      await letGo.promise;
    },
  );
  return { agent, told, broke, over, letGo };
}

test("an agent is asked for a request again, and what it says is that request's", async () => {
  const { agent, told, broke } = held();
  const asked = agent.conversation.ask(7, 0, packed);
  const whole = asked.whole(new AbortController().signal);
  expect(told).toEqual([{ type: "resend", ref: 7 }]);
  agent.heard({ type: "resent", ref: 7 }, packed);
  expect(await whole).toBe(packed);
  // Nobody asked for this one.
  agent.heard({ type: "resent", ref: 7 }, packed);
  expect(broke).toEqual(["items that nobody asked for"]);
});

test("an agent that says nothing is waited for until its turn is over, and one that died not at all", async () => {
  const { agent } = held();
  const asked = agent.conversation.ask(7, 0, packed);
  const stopped = new AbortController();
  const waiting = asked.whole(stopped.signal);
  stopped.abort();
  expect(await waiting).toBeNull();
  const again = asked.whole(new AbortController().signal);
  agent.ended();
  expect(await again).toBeNull();
  expect(await asked.whole(new AbortController().signal)).toBeNull();
});

test("a conversation is over with its agent's process, however that ends, and the end is not told before it is let go of", async () => {
  const died = held();
  died.agent.ended();
  expect(died.over).toEqual([died.agent.conversation.number]);

  const { agent, over, letGo } = held();
  expect(agent.conversation.number).not.toBe(died.agent.conversation.number);
  let stopped = false;
  const stopping = agent.stop().then(() => {
    stopped = true;
    return stopped;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(over).toEqual([agent.conversation.number]);
  expect(stopped).toBe(false);
  letGo.resolve();
  expect(await stopping).toBe(true);
});
