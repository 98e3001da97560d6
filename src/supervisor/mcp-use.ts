import type { Config } from "../config/schema.ts";
import type { ActionOfType } from "../effect/action.ts";
import type { McpAnswer, McpAsker, McpPlace, McpPort, McpTool } from "../effect/mcp-port.ts";
import type { OfferedPrompt, OfferedResource } from "../ipc/mcp-frames.ts";
import { type McpProcess, McpServerError } from "./mcp-process.ts";
import type { McpRunning } from "./mcp-running.ts";

/** Lines of a list that an agent is given. */
const MAX_LINES = 400;

/** MCP servers as agents use them. */
export class McpUse implements McpPort {
  readonly #running: McpRunning;
  readonly #config: () => Config;

  constructor(running: McpRunning, config: () => Config) {
    this.#running = running;
    this.#config = config;
  }

  tools(agent: string): readonly McpTool[] {
    const taken = new Set<string>();
    return this.servers(agent)
      .flatMap((name) => this.#running.usable(name))
      .filter(({ offeredAs }) => !taken.has(offeredAs) && taken.add(offeredAs));
  }

  servers(agent: string): readonly string[] {
    return this.#running.names.filter((name) => this.#running.has(agent, name));
  }

  place(server: string): McpPlace | null {
    const { mcp } = this.#config();
    const entry = Object.hasOwn(mcp, server) ? mcp[server] : undefined;
    if (entry?.enabled !== true) return null;
    const own = entry.url === undefined ? [] : [new URL(entry.url).hostname.replace(/^\[|\]$/g, "")];
    return { hosts: [...new Set([...own, ...entry.hosts])], public: entry.public };
  }

  async call(action: ActionOfType<"mcp.call">, signal: AbortSignal, asker: McpAsker): Promise<McpAnswer> {
    const { server, tool, digest } = action;
    const process = await this.#running.up(server, signal);
    if (typeof process === "string") return unavailable(process, signal);
    return await process.ask(
      (ref, timeoutMs) => ({ type: "call", ref, tool, digest, timeoutMs }),
      Buffer.from(action.arguments),
      signal,
      asker,
    );
  }

  async read({ server, uri }: ActionOfType<"mcp.read">, signal: AbortSignal): Promise<McpAnswer> {
    const process = await this.#running.up(server, signal);
    if (typeof process === "string") return unavailable(process, signal);
    if (uri !== null)
      return await process.ask((ref, timeoutMs) => ({ type: "read", ref, timeoutMs }), Buffer.from(uri), signal);
    try {
      return { state: "answered", text: await listOf(process), error: false };
    } catch (error) {
      if (error instanceof McpServerError) return { state: "failed", sentence: error.message, asked: false };
      throw error;
    }
  }

  async prompt(action: ActionOfType<"mcp.prompt">, signal: AbortSignal): Promise<McpAnswer> {
    const { server, name } = action;
    const process = await this.#running.up(server, signal);
    if (typeof process === "string") return unavailable(process, signal);
    return await process.ask(
      (ref, timeoutMs) => ({ type: "prompt", ref, name, timeoutMs }),
      Buffer.from(action.arguments),
      signal,
    );
  }
}

function unavailable(sentence: string, signal: AbortSignal): McpAnswer {
  return signal.aborted ? { state: "stopped" } : { state: "failed", sentence, asked: false };
}

/** What a server has to be read, a line each. */
async function listOf(process: McpProcess): Promise<string> {
  const { connection } = process;
  const resources = connection?.resources === true ? (await process.resources()).items : [];
  const prompts = connection?.prompts === true ? (await process.prompts()).items : [];
  const lines = [...resources.map(resourceLine), ...prompts.map(promptLine)];
  if (lines.length === 0) return "[it has no resources and no prompts]";
  const shown = lines.slice(0, MAX_LINES);
  return lines.length > shown.length
    ? [...shown, `[and ${lines.length - shown.length} more]`].join("\n")
    : shown.join("\n");
}

function resourceLine({ uri, template, name, description, mime }: OfferedResource): string {
  const more = [name, description, mime ?? ""].filter((one) => one !== "").join("; ");
  return oneLine(`${template ? "resources like" : "resource"} ${uri}${more === "" ? "" : `: ${more}`}`);
}

function promptLine({ name, description, arguments: wanted }: OfferedPrompt): string {
  const takes = wanted.map((one) => (one.required ? one.name : `${one.name} (may be left out)`)).join(", ");
  return oneLine(
    `prompt ${name}${takes === "" ? "" : `, takes ${takes}`}${description === "" ? "" : `: ${description}`}`,
  );
}

function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ");
}
