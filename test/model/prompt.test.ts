import { expect, test } from "vitest";
import type { ChatMessage } from "../../src/ipc/completion.ts";
import { CallIds, promptMessages, systemOf, toolsOf } from "../../src/model/prompt.ts";

const converted = (messages: ChatMessage[], instructions = "") => [
  ...systemOf(instructions),
  ...promptMessages(messages, new CallIds(), () => null),
];

test("the results of one answer become one message, each with its call's id", () => {
  const prompt = converted([
    { role: "user", text: "go" },
    {
      role: "assistant",
      text: "",
      calls: [
        { id: "a", name: "x", arguments: "{}" },
        { id: "b", name: "y", arguments: "" },
      ],
    },
    { role: "tool", call: "a", name: "x", text: "1" },
    { role: "tool", call: "b", name: "y", text: "2" },
  ]);
  expect(prompt.map(({ role }) => role)).toEqual(["user", "assistant", "tool"]);
  expect(prompt[1]).toMatchObject({
    content: [
      { toolCallId: "a", input: "{}" },
      { toolCallId: "b", input: "{}" },
    ],
  });
  expect(prompt[2]).toMatchObject({ content: [{ toolCallId: "a" }, { toolCallId: "b" }] });
});

test("an id that comes again, or that a provider would refuse, is replaced in the call and in its result", () => {
  const round: ChatMessage[] = [
    {
      role: "assistant",
      text: "",
      calls: [
        { id: "call_0", name: "x", arguments: "{}" },
        { id: "ä b", name: "x", arguments: "{}" },
      ],
    },
    { role: "tool", call: "call_0", name: "x", text: "1" },
    { role: "tool", call: "ä b", name: "x", text: "2" },
  ];
  const text = JSON.stringify(converted([{ role: "user", text: "go" }, ...round, ...round]));
  const ids = [...text.matchAll(/"toolCallId":"([^"]*)"/g)].map(([, id]) => id);
  expect(ids).toHaveLength(8);
  expect(ids.every((id) => /^[A-Za-z0-9_-]{1,64}$/.test(id ?? ""))).toBe(true);
  expect(ids.slice(0, 2)).toEqual(ids.slice(2, 4));
  expect(ids.slice(4, 6)).toEqual(ids.slice(6, 8));
  expect(new Set(ids).size).toBe(4);
});

test("what providers refuse for being empty is left out or named", () => {
  expect(
    converted(
      [
        { role: "user", text: " " },
        { role: "assistant", text: "\n", calls: [] },
      ],
      "  ",
    ),
  ).toEqual([{ role: "user", content: [{ type: "text", text: "(an empty message)" }] }]);
});

test("a tool is described by its own JSON schema, without anything to execute", () => {
  const parameters = { type: "object", properties: {} };
  expect(toolsOf([{ name: "x", description: "does x", parameters }])).toEqual([
    { type: "function", name: "x", description: "does x", inputSchema: parameters },
  ]);
});
