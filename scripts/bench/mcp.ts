import { resolve } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { McpTalk } from "../../test/support/mcp-talk.ts";
import { type Figure, median } from "./figure.ts";

const CALLS = 300;
const WARM = 50;
const MOST_MS = 5;
const SERVER = resolve(import.meta.dirname, "../../test/support/mcp-server.mts");
const GIVEN = { text: "hello" };

async function timed(call: () => Promise<unknown>): Promise<number> {
  for (let at = 0; at < WARM; at++) await call();
  const took: number[] = [];
  for (let at = 0; at < CALLS; at++) {
    const begun = performance.now();
    await call();
    took.push(performance.now() - begun);
  }
  return median(took);
}

/** One call of one server: by the bare SDK in this process, and through the pipe of an `mcp` process behind its walls, with the server in bubblewrap. */
export async function mcpFigures(): Promise<Figure[]> {
  const client = new Client({ name: "bench", version: "1" });
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [SERVER], stderr: "ignore" }));
  const bare = await timed(async () => await client.callTool({ name: "echo", arguments: GIVEN }));
  await client.close();

  const walls = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-all", "--die-with-parent"];
  await using talk = await McpTalk.program(["bwrap", ...walls, process.execPath, SERVER]);
  await talk.connected();
  const echo = (await talk.tools()).tools.find(({ name }) => name === "echo");
  if (echo === undefined) throw new TypeError("the server has no echo");
  const through = await timed(async () => {
    await talk.call(echo, GIVEN);
    talk.heard.length = 0;
  });
  const added = through - bare;
  return [
    {
      what: `MCP call through its compartment, added to ${bare.toFixed(2)} ms by the bare SDK, p50 of ${CALLS}`,
      measured: `${added.toFixed(2)} ms`,
      budget: `≤ ${MOST_MS} ms`,
      met: added <= MOST_MS,
    },
  ];
}
