import { expect, test } from "vitest";
import { SKILL_GONE, SKILL_MARK } from "../../src/ipc/skill-text.ts";
import { Agent, call, tools } from "./turns.ts";

test("the instructions of a skill are in the context to the end of the turn that read them, and not in the next", () => {
  const agent = new Agent();
  agent.hear({ type: "turn", text: `/greet Ada${SKILL_MARK}Say hello.` });
  const [asked] = tools(agent.answer({ text: "", calls: [{ ...call("1", "{}"), name: "skill" }] }));
  const body = "Say good day. ".repeat(20);
  agent.hear({ type: "result", ref: asked?.ref ?? 0, outcome: "done", text: body });
  expect(JSON.stringify(agent.asked.request)).toContain("Say good day.");
  expect(JSON.stringify(agent.asked.request)).toContain("Say hello.");
  agent.answer({ text: "Good day, Ada." });
  agent.hear({ type: "turn", text: "thanks" });
  const { messages } = agent.asked.request;
  expect(messages[0]).toEqual({ role: "user", text: "/greet Ada" });
  expect(messages[2]).toMatchObject({ role: "tool", text: SKILL_GONE });
  expect(JSON.stringify(messages)).not.toContain("Say ");
});
