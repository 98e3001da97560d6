import { expect, test } from "vitest";
import { enrolmentOf } from "../../src/cli/credential-name.ts";
import { PLATFORMS } from "../../src/ipc/channel.ts";
import { mixUp, trimmed } from "../../src/cli/credential-shape.ts";
import { shapeOf } from "../../src/ipc/credential-shape.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const wanted = (what: string, index = 0) => {
  const one = enrolmentOf(what, ["local"]).wanted[index];
  if (one === undefined) throw new Error("nothing is wanted");
  return one;
};
const telegram = `123456789:${"Aa0_-".repeat(7)}`;

test("the shape of a secret does not hold the secret", () => {
  expect(shapeOf(bytes("xoxb-12Secret99"))).toBe("xoxb-12aaaaaa00");
  expect(shapeOf(bytes("xoxe.xoxp-1-Secret99"))).toBe("xoxe.xoxp-0-aaaaaa00");
});

test.for([
  ["slack", 0, "xoxb-1-abc"],
  ["slack", 0, "xoxe.xoxb-1-abc"],
  ["slack", 1, "xapp-1-abc"],
  ["telegram", 0, telegram],
  ["anthropic", 0, "sk-ant-api03-abc"],
  ["openai", 0, "sk-proj-abc"],
  ["local", 0, "anything-goes"],
  ["discord", 0, `${"MTIzNDU2".repeat(3)}.GabcDE.${"abc_-123".repeat(4)}`],
  ["matrix", 0, "https://matrix.example"],
  ["matrix", 1, "@wirken:matrix.example"],
  ["matrix", 2, "correct horse battery staple"],
  ["matrix", 3, "syt_d2lya2Vu_abc_012"],
  ["matrix", 5, "EsTc 5rvQ 6jqQ NRMc TF2A uF2p ct3d Z8sA yb8i hLNa A9Kp Q4ZX"],
  ["teams", 0, "1a2b3c4d-0000-1111-2222-333344445555"],
  ["teams", 1, "contoso.onmicrosoft.com"],
  ["teams", 2, "abc8Q~a.b-c_d~0123456789"],
  ["whatsapp", 2, `EAA${"aB3".repeat(20)}`],
  ["whatsapp", 3, "0123456789abcdef0123456789abcdef"],
  ["signal", 0, "+4930123456"],
  ["signal", 1, "localhost:7583"],
  ["google-chat", 0, '{"type": "service_account"}'],
  ["google-chat", 1, "projects/acme/subscriptions/wirken"],
  ["imessage", 0, "http://127.0.0.1:1234"],
  ["google", 0, `AIza${"aB3-_".repeat(7)}`],
] as const)("%s takes what its credential %i looks like", ([what, index, secret]) => {
  expect(mixUp(bytes(secret), wanted(what, index))).toBeNull();
});

test.for([
  ["slack", 0, "xapp-1-abc", "app-level token"],
  ["slack", 1, "xoxb-1-abc", "bot token"],
  ["slack", 0, "xoxp-1-abc", "user token"],
  ["slack", 0, "xoxe.xoxp-1-abc", "user token (xoxe.xoxp-…)"],
  ["slack", 1, "xoxe.xoxb-1-abc", "bot token (xoxe.xoxb-…)"],
  ["openai", 0, "xoxe.xoxp-1-abc", "Slack user token"],
  ["telegram", 0, "xoxb-1-abc", "Slack bot token"],
  ["telegram", 0, "123456789:short", "Telegram bot token"],
  ["anthropic", 0, "sk-or-v1-abc", "OpenRouter"],
  ["openai", 0, telegram, "Telegram"],
  ["discord", 0, telegram, "Telegram bot token"],
  ["matrix", 0, "matrix.example", "does not look like: Address of the homeserver"],
  ["matrix", 1, "wirken", "does not look like: Name of the bot's account"],
  ["matrix", 1, "syt_d2lya2Vu_abc_012", "a Matrix access token"],
  ["teams", 2, "1a2b3c4d-0000-1111-2222-333344445555", "an ID"],
  ["whatsapp", 3, `EAA${"aB3".repeat(20)}`, "access token of Meta's"],
  ["signal", 0, "0301234567", "does not look like"],
  ["signal", 1, "signal.example:7583", "does not look like"],
  ["google-chat", 0, "/home/somebody/key.json", "no JSON"],
  ["slack", 0, `${"MTIzNDU2".repeat(3)}.GabcDE.${"abc_-123".repeat(4)}`, "Discord bot token"],
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
  ["proxy", "network/proxy"],
  ["network/proxy", "network/proxy"],
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

test("on every platform what is typed openly is asked for before what is not", () => {
  for (const platform of PLATFORMS) {
    const kinds = enrolmentOf(platform, []).wanted.map(({ kind }) => kind === "secret");
    expect([platform, kinds]).toEqual([platform, kinds.toSorted((a, b) => Number(a) - Number(b))]);
  }
});
