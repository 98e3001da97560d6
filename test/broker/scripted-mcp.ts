import type { ActionOfType } from "../../src/effect/action.ts";
import type { McpAnswer, McpAsker, McpPlace, McpPort, McpTool } from "../../src/effect/mcp-port.ts";
import { packRequest } from "../../src/ipc/items.ts";
import { Conversation } from "../../src/supervisor/conversation.ts";
import type { Sampling } from "../../src/broker/mcp-questions.ts";

/** What MCP servers would offer and answer. */
export class ScriptedMcp implements McpPort {
  readonly asked: ActionOfType<"mcp.call" | "mcp.read" | "mcp.prompt">[] = [];
  offered: McpTool[] = [];
  places = new Map<string, McpPlace>();
  /** What the server does while a call of it runs. */
  meanwhile: (asker: McpAsker, signal: AbortSignal) => Promise<McpAnswer> = () =>
    Promise.resolve({ state: "answered", text: "done", error: false });

  tools(): readonly McpTool[] {
    return this.offered;
  }
  servers(): readonly string[] {
    return [...this.places.keys()];
  }
  place(server: string): McpPlace | null {
    return this.places.get(server) ?? null;
  }
  call(action: ActionOfType<"mcp.call">, signal: AbortSignal, asker: McpAsker): Promise<McpAnswer> {
    this.asked.push(action);
    return this.meanwhile(asker, signal);
  }
  read(action: ActionOfType<"mcp.read">): Promise<McpAnswer> {
    this.asked.push(action);
    return Promise.resolve({ state: "answered", text: `what ${action.uri ?? "the list"} says`, error: false });
  }
  prompt(action: ActionOfType<"mcp.prompt">): Promise<McpAnswer> {
    this.asked.push(action);
    return Promise.resolve({ state: "answered", text: "a prompt", error: false });
  }
}

/** Completions of servers, asked of the world's own model. */
export const SCRIPTED_SAMPLING: Sampling = {
  model: () => ({ provider: "scripted", model: "scripted", maxOutputTokens: 1_000, timeoutMs: 60_000 }),
  request: (of) => {
    const packed = packRequest(of, 0);
    const conversation = new Conversation(() => Promise.resolve(packed));
    return { request: conversation.ask(1, 0, packed), over: () => Promise.resolve() };
  },
};
