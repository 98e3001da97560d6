import type { ActionOfType } from "./action.ts";

/** A tool of an MCP server that an agent may use: as it was accepted. */
export interface McpTool {
  readonly server: string;
  /** As its server calls it. */
  readonly name: string;
  /** As a model calls it, such as mcp__files__read_file. */
  readonly offeredAs: string;
  /** As keys name it: `files/read_file`. */
  readonly key: string;
  readonly description: string;
  /** JSON schema of its arguments. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** SHA-256 of what was accepted. */
  readonly digest: string;
}

/** What is known of a server, by its entry in the configuration. */
export interface McpPlace {
  /** Where what it is told can go; empty: the sandbox lets it reach nothing. */
  readonly hosts: readonly string[];
  /** Nothing of what it says is anybody's. */
  readonly public: boolean;
}

/** What a server says of a call that was made. */
export type McpAnswer =
  | { readonly state: "answered"; readonly text: string; readonly error: boolean }
  /** `asked`: it may have reached the server. */
  | { readonly state: "failed"; readonly sentence: string; readonly asked: boolean }
  | { readonly state: "stopped" };

/** What a server asks back while one of its calls runs, in our own form. */
export type McpQuestion =
  | {
      readonly what: "sampling";
      readonly system: string | null;
      readonly messages: readonly { readonly role: "user" | "assistant"; readonly text: string }[];
      readonly maxTokens: number;
    }
  | {
      readonly what: "elicitation";
      readonly message: string;
      readonly fields: readonly McpField[];
      readonly url: string | null;
    };

export interface McpField {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly kind: "text" | "number" | "integer" | "boolean" | "choice";
  readonly required: boolean;
  readonly choices: readonly string[];
}

export interface McpReply {
  readonly verdict: "accept" | "decline" | "cancel";
  /** With `accept`: what a model said, or the fields as JSON. */
  readonly payload: Uint8Array;
  readonly model: string | null;
}

/** Who answers what a server asks back. */
export type McpAsker = (question: McpQuestion, signal: AbortSignal) => Promise<McpReply>;

/** What there is of MCP servers: to be looked at, with nothing done. */
export interface McpCatalogue {
  /** The tools that an agent has, in order. */
  tools(agent: string): readonly McpTool[];
  /** The servers whose resources and prompts it may read. */
  servers(agent: string): readonly string[];
  /** Null: there is no such server, or it is off. */
  place(server: string): McpPlace | null;
}

/** MCP servers, each in a process of its own. Filled by the supervisor. It never throws for what a server or that process does. */
export interface McpPort extends McpCatalogue {
  /** @param asker who answers what the server asks meanwhile. */
  call(action: ActionOfType<"mcp.call">, signal: AbortSignal, asker: McpAsker): Promise<McpAnswer>;
  read(action: ActionOfType<"mcp.read">, signal: AbortSignal): Promise<McpAnswer>;
  prompt(action: ActionOfType<"mcp.prompt">, signal: AbortSignal): Promise<McpAnswer>;
}
