import { expect, test } from "vitest";
import { setInText } from "../../src/config/edit.ts";
import { parseConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { mint } from "../../src/ipc/ids.ts";
import { answererAt, bindingOf, placesOf, withoutAgent } from "../../src/supervisor/agent-places.ts";

const HERE = mint("conversation");
const TEXT = JSON.stringify({
  agents: { coder: {}, writer: {} },
  channels: { telegram: {}, "slack:acme": { agent: "writer" } },
  web: { port: 7717 },
});
const channelOf = (conversation: string): string | null => (conversation === HERE ? "telegram" : null);

function read(text: string): Config {
  const loaded = parseConfig("config.json", text);
  if (loaded.state === "invalid") throw new Error(loaded.sentence);
  return loaded.config;
}
function bound(text: string, agent: string, channel: string, conversation: string | null = null): string {
  const { path, value } = bindingOf(read(text), agent, { channel, conversation });
  return setInText(text, path, value);
}

test("the default agent answers wherever no other one is bound", () => {
  const config = read(TEXT);
  for (const channel of ["terminal", "web", "telegram", "discord"])
    expect(answererAt(config, channel, null)).toBe("default");
  expect(answererAt(config, "slack:acme", HERE)).toBe("writer");
  expect(placesOf(config, "default", channelOf).map(({ channel }) => channel)).toEqual(["terminal", "web", "telegram"]);
});

test("an agent is bound to a channel, or to one conversation of it and to no other", () => {
  const text = bound(bound(TEXT, "coder", "terminal"), "writer", "telegram", HERE);
  const config = read(text);
  expect(answererAt(config, "terminal", null)).toBe("coder");
  expect(answererAt(config, "telegram", HERE)).toBe("writer");
  expect(answererAt(config, "telegram", mint("conversation"))).toBe("default");
  expect(answererAt(config, "telegram", null)).toBe("default");
  expect(placesOf(config, "writer", channelOf)).toEqual([
    { channel: "slack:acme", conversation: null },
    { channel: "telegram", conversation: HERE },
  ]);
});

test("a conversation that is bound to whoever answers on its channel is like the rest of it", () => {
  const text = bound(bound(TEXT, "writer", "telegram", HERE), "default", "telegram", HERE);
  expect(read(text).conversations).toEqual({});
  expect(answererAt(read(bound(text, "coder", "telegram")), "telegram", HERE)).toBe("coder");
});

test("without an agent nothing names it any more, and the default one answers in its places", () => {
  const text = bound(bound(bound(TEXT, "writer", "web"), "writer", "terminal"), "writer", "telegram", HERE);
  const left = withoutAgent(read(text), "writer").reduce((now, { path, value }) => setInText(now, path, value), text);
  expect(left).not.toContain("writer");
  const config = read(left);
  expect(config.web.port).toBe(7717);
  for (const channel of ["terminal", "web", "telegram", "slack:acme"])
    expect(answererAt(config, channel, HERE)).toBe("default");
});

test.for([
  ['{"terminal": {"agent": "nobody"}}', "terminal.agent"],
  ['{"web": {"agent": "nobody"}}', "web.agent"],
  ['{"channels": {"telegram": {"agent": "nobody"}}}', "channels.telegram.agent"],
  [`{"conversations": {"${HERE}": "nobody"}}`, `conversations.${HERE}`],
] as const)("a file in which an agent answers that is not there is refused: %s", ([text, where]) => {
  const loaded = parseConfig("config.json", text);
  expect(loaded).toMatchObject({ state: "invalid" });
  if (loaded.state === "invalid") expect(loaded.sentence).toContain(`${where}: there is no agent nobody under agents`);
});
