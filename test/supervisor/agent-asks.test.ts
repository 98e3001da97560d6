import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { FromAgent, ToAgent } from "../../src/ipc/agent-frames.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { passCompletion } from "../../src/supervisor/agent-asks.ts";
import { AgentProcess } from "../../src/supervisor/agent-pool.ts";
import { World } from "../broker/world.ts";

let world: World;
beforeEach(async () => {
  world = await World.make();
});
afterEach(async () => {
  await world[Symbol.asyncDispose]();
});

const DONE: FromAgent = { type: "turn.end", reason: "done" };

/** An agent that says it is done as soon as it is given its answer, and what was heard of that: with the rows of answers that there were by then.
 *  @param given what else happens at that moment. */
function asking(given: () => void) {
  const heard: { readonly type: string; readonly rows: number }[] = [];
  const told: string[] = [];
  const agent = new AgentProcess(
    {
      send: (header: ToAgent) => {
        told.push(header.type);
        if (header.type !== "completed") return Promise.resolve();
        agent.heard(DONE, new Uint8Array());
        given();
        return Promise.resolve();
      },
      end: (_, detail) => {
        throw new Error(detail);
      },
      stop: () => Promise.resolve(),
    },
    () => Promise.resolve(),
  );
  agent.listen({
    frame: ({ type }) => heard.push({ type, rows: world.rows("model.answered").length }),
    died: () => undefined,
  });
  world.model.answers.push({
    state: "completed",
    model: "m",
    inputTokens: 1,
    outputTokens: 1,
    stop: "stop",
    answer: Buffer.from('{"text":"hi","calls":[]}'),
  });
  const context = world.turn();
  const { policy, settings } = context;
  const force = {
    agent: "default",
    provider: "anthropic",
    model: "claude-sonnet-4-6",
    local: false,
    rounds: 20,
    outputTokens: 1_000,
    setupBytes: 0,
    turnMs: 60_000,
    policy,
    settings,
    tools: new Set<string>(),
  };
  const messages = [{ role: "user" as const, text: "hello" }];
  const request = agent.conversation.ask(1, 0, packRequest({ instructions: "", tools: [], messages }, 0));
  const over = passCompletion(
    { broker: world.broker, agent, context, force, notify: () => undefined },
    1,
    request,
    () => undefined,
  );
  return { heard, told, over };
}

test("an agent reads its answer while the row of it is written, and is heard again once it is on the log", async () => {
  let rows = -1;
  const { heard, told, over } = asking(() => {
    rows = world.rows("model.answered").length;
  });
  await expect(over).resolves.toBeNull();
  expect(told).toEqual(["completed"]);
  expect(rows).toBe(0);
  expect(heard).toEqual([{ type: "turn.end", rows: 1 }]);
});

test("what an agent makes of an answer that cannot be recorded is not heard, and its turn fails", async () => {
  const { heard, told, over } = asking(() => {
    // The row was given to the log, which does not take it.
    const other = new Database(join(world.home, "audit.db"));
    other.exec("CREATE TRIGGER refuses BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END");
    other.close();
  });
  await expect(over).rejects.toMatchObject({ name: "AuditError", code: "AUDIT_UNWRITABLE" });
  expect(told).toEqual(["completed"]);
  expect(heard).toEqual([]);
});
