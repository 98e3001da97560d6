import { McpTalk, TalkFailed } from "./mcp-talk.ts";

/** What the conformance suite starts as a client, with the address of its server. A browser is a request that follows nothing. */

const REDIRECT = "http://127.0.0.1:7717/mcp/authorized";
/** A server that wants to be authorized, or more than it was, is authorized again by its owner: so often at most. */
const MOST = 3;

/** As `wirken mcp authorize` does: the owner opens an address, and what comes back goes to the process. @returns the tokens, which are kept. */
async function authorized(at: string, scope: string | null): Promise<Uint8Array> {
  await using talk = await McpTalk.url(at, { authorizing: true });
  const { text: address } = await talk.ask((ref) => ({ type: "authorize", ref, redirect: REDIRECT, scope }));
  const answer = await fetch(address, { redirect: "manual" });
  const query = new URL(answer.headers.get("location") ?? "").search;
  const { text } = await talk.ask((ref) => ({ type: "code", ref }), query);
  return Buffer.from(text);
}

async function talked(at: string, tokens: Uint8Array | null): Promise<void> {
  await using talk = await McpTalk.url(at, { tokens });
  await talk.connected();
  for (const tool of (await talk.tools()).tools)
    await talk.call(tool, tool.name === "add_numbers" ? { a: 5, b: 3 } : {});
}

const url = process.argv.at(-1) ?? "";
let tokens: Uint8Array | null = null;
for (let times = 0; ; times++) {
  try {
    await talked(url, tokens);
    break;
  } catch (error) {
    if (!(error instanceof TalkFailed) || error.reason !== "unauthorized" || times === MOST) throw error;
    // As the sentence says it, the owner says it: wirken mcp authorize --scope.
    tokens = await authorized(url, /\(scope: (.*)\)$/.exec(error.message)?.[1] ?? null);
  }
}
