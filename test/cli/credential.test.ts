import { expect, test } from "vitest";
import { enrolmentOf } from "../../src/cli/credential-name.ts";
import { mixUp, shapeOf, trimmed } from "../../src/cli/credential-shape.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const wanted = (what: string, index = 0) => {
  const one = enrolmentOf(what, ["local"]).wanted[index];
  if (one === undefined) throw new Error("nothing is wanted");
  return one;
};
const telegram = `123456789:${"Aa0_-".repeat(7)}`;

test("the shape of a secret does not hold the secret", () => {
  expect(shapeOf(bytes("xoxb-12Secret99"))).toBe("xoxb-12aaaaaa00");
});

test.for([
  ["slack", 0, "xoxb-1-abc"],
  ["slack", 1, "xapp-1-abc"],
  ["telegram", 0, telegram],
  ["anthropic", 0, "sk-ant-api03-abc"],
  ["openai", 0, "sk-proj-abc"],
  ["local", 0, "anything-goes"],
] as const)("%s takes what its credential %i looks like", ([what, index, secret]) => {
  expect(mixUp(bytes(secret), wanted(what, index))).toBeNull();
});

test.for([
  ["slack", 0, "xapp-1-abc", "app-level token"],
  ["slack", 1, "xoxb-1-abc", "bot token"],
  ["slack", 0, "xoxp-1-abc", "user token"],
  ["telegram", 0, "xoxb-1-abc", "Slack bot token"],
  ["telegram", 0, "123456789:short", "Telegram bot token"],
  ["anthropic", 0, "sk-or-v1-abc", "OpenRouter"],
  ["openai", 0, telegram, "Telegram"],
  ["openai", 0, "", "nothing was given"],
  ["openai", 0, "sk-a b", "space"],
] as const)("%s does not take for its credential %i: %s", ([what, index, secret, says]) => {
  const sentence = mixUp(bytes(secret), wanted(what, index));
  expect(sentence).toContain(says);
  expect(sentence?.includes(secret.padEnd(9))).toBe(false);
});

test("blanks and line ends around a pasted secret do not belong to it", () => {
  expect(trimmed(bytes(" \txoxb-1\r\n"))).toEqual(bytes("xoxb-1"));
});

test.for([
  ["slack", "channel/slack"],
  ["slack:acme", "channel/slack:acme"],
  ["channel/telegram", "channel/telegram"],
  ["anthropic", "provider/anthropic"],
  ["local", "provider/local"],
] as const)("%s is kept under %s", ([what, scope]) => {
  expect(enrolmentOf(what, ["local"]).scope).toBe(scope);
});

test.for([
  ["slack:Acme!", "is not a channel"],
  ["ollama", "needs no key"],
  ["antropic", "no channel and no provider"],
  ["channel/anthropic", "no channel and no provider"],
] as const)("%s cannot be enrolled", ([what, says]) => {
  expect(() => enrolmentOf(what, [])).toThrow(says);
});

test("a secret pasted where a name belongs is not repeated", () => {
  expect(() => enrolmentOf("xoxb-1-secret", [])).toThrow(/^that is no channel/);
});
