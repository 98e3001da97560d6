import * as z from "zod/mini";
import { ForeignName, MAX_MCP_ARGUMENTS, MAX_URI } from "../ipc/mcp-frames.ts";
import { Name } from "../ipc/ids.ts";

/** What is asked of an MCP server for an agent, to the letter. */

const Text = z.string().check(z.refine((text) => text.isWellFormed(), "holds half a character"));
/** JSON with its keys in order. */
const Json = Text.check(z.maxLength(MAX_MCP_ARGUMENTS));
/** Where what a server is told can go; none: nowhere. */
const Hosts = z.array(z.string().check(z.maxLength(253))).check(z.maxLength(40));

export const McpCall = z.strictObject({
  type: z.literal("mcp.call"),
  server: Name,
  tool: ForeignName,
  /** As keys name it, without the server. */
  key: z.string().check(z.regex(/^[a-z0-9_.-]{1,80}$/)),
  arguments: Json,
  /** What a person has said to what the server may ask meanwhile: an object as JSON; null: nothing. */
  answers: z.nullable(Json),
  /** SHA-256 of the tool as it was accepted. */
  digest: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  hosts: Hosts,
  /** Nothing of what the server says is anybody's. */
  public: z.boolean(),
});

/** The list of a server's resources and prompts, or one of its resources. */
export const McpRead = z.strictObject({
  type: z.literal("mcp.read"),
  server: Name,
  /** Null: the list. */
  uri: z.nullable(Text.check(z.minLength(1), z.maxLength(MAX_URI))),
  hosts: Hosts,
  public: z.boolean(),
});

export const McpPrompt = z.strictObject({
  type: z.literal("mcp.prompt"),
  server: Name,
  name: ForeignName,
  arguments: Json,
  hosts: Hosts,
  public: z.boolean(),
});

/** A completion that a server asks for while a call of it runs. */
export const McpSample = z.strictObject({
  type: z.literal("mcp.sample"),
  server: Name,
  /** Whom it is asked of. */
  model: z.string().check(z.maxLength(240)),
  system: z.nullable(Text.check(z.maxLength(65_536))),
  messages: z
    .array(z.strictObject({ role: z.enum(["user", "assistant"]), text: Text.check(z.maxLength(262_144)) }))
    .check(z.minLength(1), z.maxLength(100)),
  maxTokens: z.int().check(z.gte(1), z.lte(1_000_000)),
  hosts: Hosts,
});

/** What a server is told of a person, who was asked for it. */
export const McpTell = z.strictObject({
  type: z.literal("mcp.tell"),
  server: Name,
  message: Text.check(z.maxLength(4_096)),
  /** The fields by name, as JSON. */
  values: Json,
  hosts: Hosts,
});
