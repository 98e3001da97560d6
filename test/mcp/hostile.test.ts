import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { MAX_MCP_TEXT, MAX_OFFERED } from "../../src/ipc/mcp-frames.ts";
import { type Heard, McpTalk, TalkFailed } from "../support/mcp-talk.ts";

/** Servers that mean harm, each spoken to by a real `mcp` process behind its walls. */

const SERVER = resolve(import.meta.dirname, "../support/hostile-mcp-server.mts");
const start = async (how: string): Promise<McpTalk> => await McpTalk.program([process.execPath, SERVER, how]);
/** Of a process that holds one message of the largest size, parses it and tells of it. */
const MEGABYTES = 350;

/** @returns why it came to nothing, in one clear sentence; `none`: it did not. */
async function failing(does: () => Promise<unknown>): Promise<string> {
  try {
    await does();
    return "none";
  } catch (error) {
    if (!(error instanceof TalkFailed)) throw error;
    expect(error.message).not.toMatch(/\p{C}|Error:|undefined/u);
    expect(error.message.length).toBeLessThan(400);
    return error.message;
  }
}

async function lure(talk: McpTalk, timeoutMs?: number): Promise<Heard> {
  await talk.connected();
  const { tools } = await talk.tools();
  const found = tools.find(({ name }) => name === "lure");
  if (found === undefined) throw new TypeError("it offers no lure");
  return await talk.call(found, {}, timeoutMs);
}

describe("a hostile server is told of in one sentence, and costs no more memory than a message", {
  timeout: 90_000,
}, () => {
  test.for<[string, RegExp]>([
    ["huge-answer", /^too-large: the server sent a message of more than/],
    ["endless-line", /^too-large: the server sent a message of more than/],
    ["slow", /^timeout: there was no answer within 2 s/],
    ["malformed", /^protocol: what the server writes is not MCP/],
    ["wrong-shape", /^protocol: what the server answered is not what the protocol has there/],
    ["deep-answer", /^(?:too-large: what the server sent is nested too deeply|protocol: )/],
    ["dies", /^ended: the server ended/],
  ])("calling one that is %s", async ([how, why]) => {
    await using talk = await start(how);
    expect(await failing(async () => await lure(talk, how === "slow" ? 2_000 : undefined))).toMatch(why);
    expect(talk.megabytes).toBeLessThan(MEGABYTES);
  });

  test.for<[string, RegExp]>([
    ["babbles", /^protocol: what the server writes is not MCP/],
    ["odd-handshake", /^protocol: /],
  ])("beginning with one that %s", async ([how, why]) => {
    await using talk = await start(how);
    expect(await failing(async () => await talk.connected())).toMatch(why);
  });

  test.for<[string, number]>([
    ["endless-pages", 200],
    ["same-page", 1],
    ["million-tools", MAX_OFFERED],
    ["deep-schema", 1],
    ["huge-names", 2],
    ["list-of-nothing", 0],
  ])("listing the tools of one with %s", async ([how, most]) => {
    await using talk = await start(how);
    await talk.connected();
    const { tools, left } = await talk.tools();
    expect(tools.length).toBeLessThanOrEqual(most);
    if (how === "million-tools") expect(left).toBeGreaterThan(1_000);
    for (const { name, description } of tools) {
      expect(name).toMatch(/^[^\p{C}]{1,128}$/u);
      expect(description.length).toBeLessThan(10_000);
    }
    expect(talk.megabytes).toBeLessThan(MEGABYTES);
  });

  test.for<[string, string]>([
    ["other-ids", "asked"],
    ["flood", "after the flood"],
  ])("one with %s harms nobody, and what was asked is answered", async ([how, said]) => {
    await using talk = await start(how);
    const { text } = await lure(talk);
    expect(text).toContain(said);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(MAX_MCP_TEXT);
    // Of a flood a few a second are passed on.
    expect(talk.heard.length).toBeLessThan(2_000);
    expect(talk.megabytes).toBeLessThan(MEGABYTES);
  });

  test("one that asks for secrets a hundred times over is put to a person a few times, and refused beyond that", async () => {
    await using talk = await start("asks-for-secrets");
    talk.answering = () => null;
    expect((await lure(talk)).text).toContain("asked for a lot");
    const asked = talk.heard.filter(({ frame }) => frame.type === "asked");
    expect(asked.length).toBeGreaterThan(0);
    expect(asked.length).toBeLessThanOrEqual(8);
  });
});
