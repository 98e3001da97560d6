import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CallToolResultSchema,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  GetPromptResultSchema,
  LoggingMessageNotificationSchema,
  PromptListChangedNotificationSchema,
  ReadResourceResultSchema,
  ResourceListChangedNotificationSchema,
  ToolListChangedNotificationSchema,
  type Progress,
} from "@modelcontextprotocol/sdk/types.js";
import { CfWorkerJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/cfworker-provider.js";
import { type ListKind, MAX_CALL_MS, type OfferedTool, ServerInfo } from "../ipc/mcp-frames.ts";
import { toolDigest } from "../ipc/mcp-digest.ts";
import { isOlder } from "./http.ts";
import { type Listing, listed, type Offered } from "./lists.ts";
import { McpProcessError } from "./mcp-error.ts";
import { type Elicitation, elicitation, samplingAsk } from "./questions.ts";
import { blockText, bounded, contentText, embeddedText } from "./result-text.ts";
import type { SamplingAsk } from "../ipc/mcp-frames.ts";

/** A server has this long to answer that it is there. */
const CONNECT_MS = 60_000;
/** Changes of a list within this time are told as one. */
const CHANGED_MS = 250;

/** What is answered to a question of the server. */
export interface Answered {
  readonly verdict: "accept" | "decline" | "cancel";
  readonly model: string | null;
  readonly payload: Uint8Array;
}

export interface SessionEvents {
  changed(what: ListKind): void;
  log(
    level: "debug" | "info" | "notice" | "warning" | "error" | "critical" | "alert" | "emergency",
    text: string,
  ): void;
  asked(
    question:
      | { readonly what: "sampling"; readonly ask: SamplingAsk }
      | { readonly what: "elicitation"; readonly ask: Elicitation["ask"] },
    signal: AbortSignal,
  ): Promise<Answered>;
  /** The connection is over. */
  closed(why: unknown): void;
}

export interface Connected {
  readonly protocol: string;
  readonly info: ServerInfo;
  readonly tools: boolean;
  readonly resources: boolean;
  readonly prompts: boolean;
}

/** What comes back of the server, for a model. */
export interface Result {
  readonly text: string;
  readonly error: boolean;
}

/** Checks without making code of the schema: somebody else wrote it. */
const VALIDATOR = new CfWorkerJsonSchemaValidator({ shortcircuit: false });

/** One connection to one server. */
export class Session {
  readonly #on: SessionEvents;
  #client: Client | null = null;
  #tools = new Map<string, { readonly tool: OfferedTool; readonly digest: string }>();
  /** The server said that its tools are others now: they are asked for again before one is called. */
  #stale = true;
  #why: unknown = null;
  readonly #timers = new Map<ListKind, NodeJS.Timeout>();

  constructor(on: SessionEvents) {
    this.#on = on;
  }

  /** @param transports tried one after the other, where a server knows only an older way. */
  async connect(transports: readonly (() => Transport)[]): Promise<Connected> {
    let failed: unknown = null;
    for (const make of transports) {
      const client = this.#made();
      const transport = make();
      let protocol: string | null = null;
      const set = transport.setProtocolVersion?.bind(transport);
      transport.setProtocolVersion = (version) => {
        protocol = version;
        set?.(version);
      };
      try {
        await client.connect(transport, { timeout: CONNECT_MS });
      } catch (error) {
        failed = this.#why ?? error;
        if (isOlder(error)) continue;
        throw failed;
      }
      this.#client = client;
      // It is no event target.
      // oxlint-disable-next-line unicorn/prefer-add-event-listener
      client.onclose = () => this.#on.closed(this.#why);
      return connectedOf(client, protocol);
    }
    throw failed;
  }

  #made(): Client {
    const client = new Client(
      { name: "wirken", version: "1" },
      {
        capabilities: { sampling: {}, elicitation: { form: { applyDefaults: true } } },
        jsonSchemaValidator: VALIDATOR,
      },
    );
    // The SDK tells of every error here; what ends the connection says why.
    // oxlint-disable-next-line unicorn/prefer-add-event-listener
    client.onerror = (error) => {
      if (error instanceof McpProcessError) this.#why ??= error;
    };
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
      this.#stale = true;
      this.#changed("tools");
    });
    client.setNotificationHandler(ResourceListChangedNotificationSchema, () => this.#changed("resources"));
    client.setNotificationHandler(PromptListChangedNotificationSchema, () => this.#changed("prompts"));
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
      const { level, logger, data } = params;
      const text = typeof data === "string" ? data : JSON.stringify(data);
      this.#on.log(level, logger === undefined ? text : `${logger}: ${text}`);
    });
    client.setRequestHandler(CreateMessageRequestSchema, async (request, { signal }) => {
      const { verdict, model, payload } = await this.#on.asked({ what: "sampling", ask: samplingAsk(request) }, signal);
      if (verdict !== "accept") throw new McpProcessError("cancelled", "the person did not allow a completion");
      return {
        role: "assistant",
        model: model ?? "unknown",
        stopReason: "endTurn",
        content: { type: "text", text: Buffer.from(payload).toString("utf8") },
      };
    });
    client.setRequestHandler(ElicitRequestSchema, async (request, { signal }) => {
      const asked = elicitation(request);
      const { verdict, payload } = await this.#on.asked({ what: "elicitation", ask: asked.ask }, signal);
      if (verdict !== "accept") return { action: verdict };
      return { action: "accept", content: asked.content(valuesIn(payload)) };
    });
    return client;
  }

  #changed(what: ListKind): void {
    if (this.#timers.has(what)) return;
    const timer = setTimeout(() => {
      this.#timers.delete(what);
      this.#on.changed(what);
    }, CHANGED_MS);
    this.#timers.set(what, timer);
  }

  /** Why the connection is over, where that is known better than by its end. */
  get why(): unknown {
    return this.#why;
  }

  get #connected(): Client {
    if (this.#client === null) throw new McpProcessError("ended", "the server is not connected");
    return this.#client;
  }

  async list(what: ListKind): Promise<Listing<Offered>> {
    const client = this.#connected;
    const can = client.getServerCapabilities();
    if (can?.[what] === undefined) return { items: [], left: 0 };
    return what === "tools" ? await this.#listTools(client) : await listed(client, what);
  }

  async #listTools(client: Client): Promise<Listing<OfferedTool>> {
    this.#stale = false;
    const found = await listed(client, "tools");
    this.#tools = new Map(found.items.map((tool) => [tool.name, { tool, digest: toolDigest(tool) }]));
    return found;
  }

  /** @param digest of the tool as it was decided about. @throws {McpProcessError}, and whatever the SDK throws. */
  async call(
    name: string,
    digest: string,
    given: Uint8Array,
    signal: AbortSignal,
    onprogress: (progress: Progress) => void,
  ): Promise<Result> {
    const client = this.#connected;
    if (this.#stale) await this.#listTools(client);
    const found = this.#tools.get(name);
    if (found === undefined) throw new McpProcessError("unknown-tool", "the server does not offer this tool any more");
    if (found.digest !== digest)
      throw new McpProcessError(
        "unknown-tool",
        "the server describes this tool in another way than was accepted: nothing was asked of it",
      );
    const args = argumentsOf(given);
    checkArguments(found.tool.schema, args);
    const result = await client.request(
      { method: "tools/call", params: { name, arguments: args } },
      CallToolResultSchema,
      {
        signal,
        timeout: MAX_CALL_MS,
        onprogress,
      },
    );
    const { content, structuredContent, isError } = result;
    return { text: contentText(content, structuredContent), error: isError === true };
  }

  async read(uri: string, signal: AbortSignal): Promise<Result> {
    const result = await this.#connected.request(
      { method: "resources/read", params: { uri } },
      ReadResourceResultSchema,
      {
        signal,
        timeout: MAX_CALL_MS,
      },
    );
    return { text: bounded(result.contents.map(embeddedText).join("\n")), error: false };
  }

  async prompt(name: string, given: Uint8Array, signal: AbortSignal): Promise<Result> {
    const params = { name, arguments: stringsIn(argumentsOf(given)) };
    const result = await this.#connected.request({ method: "prompts/get", params }, GetPromptResultSchema, {
      signal,
      timeout: MAX_CALL_MS,
    });
    const texts = result.messages.map(({ role, content }) => `[${role}]\n${blockText(content)}`);
    return { text: bounded(texts.join("\n\n")), error: false };
  }

  async close(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#client?.close();
  }
}

function connectedOf(client: Client, protocol: string | null): Connected {
  const can = client.getServerCapabilities();
  const version = client.getServerVersion();
  return {
    protocol: protocol ?? "unknown",
    info: ServerInfo.parse({
      name: line(version?.name, 200),
      version: line(version?.version, 100),
      title: version?.title === undefined ? null : line(version.title, 200),
      instructions: client.getInstructions() === undefined ? null : line(client.getInstructions(), 8_192),
    }),
    tools: can?.tools !== undefined,
    resources: can?.resources !== undefined,
    prompts: can?.prompts !== undefined,
  };
}

function line(text: string | undefined, most: number): string {
  return (text ?? "").slice(0, most).toWellFormed();
}

function argumentsOf(payload: Uint8Array): Record<string, unknown> {
  const value: unknown = payload.length === 0 ? {} : JSON.parse(Buffer.from(payload).toString("utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new McpProcessError("bad-arguments", "the arguments are not an object");
  return Object.fromEntries(Object.entries(value));
}

/** @throws {McpProcessError} with what is wrong, for the model. */
function checkArguments(schema: string, args: Record<string, unknown>): void {
  let verdict: { readonly valid: boolean; readonly errorMessage?: string | undefined };
  try {
    const parsed: unknown = JSON.parse(schema);
    if (typeof parsed !== "object" || parsed === null) throw new TypeError("a schema is an object");
    verdict = VALIDATOR.getValidator(parsed)(args);
  } catch (cause) {
    throw new McpProcessError("bad-arguments", "the server's schema of its arguments cannot be used", { cause });
  }
  if (verdict.valid) return;
  const wrong = (verdict.errorMessage ?? "").slice(0, 1_000).toWellFormed();
  throw new McpProcessError("bad-arguments", `the arguments are not what the tool takes: ${wrong}`);
}

function stringsIn(given: Record<string, unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

function valuesIn(payload: Uint8Array): Record<string, string | number | boolean> {
  const values: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(argumentsOf(payload)))
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") values[name] = value;
  return values;
}
