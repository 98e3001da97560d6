import * as z from "zod/mini";
import { Ready, Ref, SecretFrame, Stop } from "./frame-common.ts";
import { CredentialPlace } from "./fetch-frames.ts";

/** What the supervisor and an MCP process say to each other. What a server sent is payload: the process has read it, bounded it, and written it anew in
 *  the forms below, which the supervisor checks like any other frame. */

/** Tools, resources or prompts of one server that are taken; of what a server offers beyond that, the number is told. */
export const MAX_OFFERED = 512;
/** Of one list that is taken from a server, in bytes of its own JSON: no more of it is read. */
export const MAX_LIST = 4 * 1024 * 1024;
/** Of one page of a list, in bytes: it fits into a frame. */
export const MAX_PAGE = 512 * 1024;
/** Of a tool's name, in characters. */
export const MAX_TOOL_NAME = 128;
/** Of what a model is told of a tool, in characters: one whose description is longer is not offered. */
export const MAX_DESCRIPTION = 8_192;
/** Of a tool's schema, in characters of JSON, and how deep it may be. */
export const MAX_SCHEMA = 64 * 1024;
export const MAX_SCHEMA_DEPTH = 32;
/** Of a call's arguments, in bytes of JSON. */
export const MAX_MCP_ARGUMENTS = 256 * 1024;
/** Of what comes back of a call, in bytes of UTF-8: what a model is given at the most. */
export const MAX_MCP_TEXT = 60 * 1024;
/** Of an address of a resource, in characters. */
export const MAX_URI = 2_048;
/** The longest that one call may take, in milliseconds, progress or not. */
export const MAX_CALL_MS = 30 * 60_000;

/** A tool's name as its server says it: one line, whatever its letters. */
export const ForeignName = z.string().check(z.minLength(1), z.maxLength(MAX_TOOL_NAME), z.regex(/^[^\p{C}]+$/u));
const Title = z.nullable(z.string().check(z.maxLength(200)));
const Hint = z.nullable(z.boolean());

/** What a server says of its tool. It is a hint for people, and never authority. */
export const ToolHints = z.strictObject({ readOnly: Hint, destructive: Hint, idempotent: Hint, openWorld: Hint });
export type ToolHints = z.infer<typeof ToolHints>;

/** One tool of a server, in the one form that its digest is made of. */
export const OfferedTool = z.strictObject({
  name: ForeignName,
  title: Title,
  description: z.string().check(z.maxLength(MAX_DESCRIPTION)),
  /** JSON schema of its arguments, with its keys in order. */
  schema: z.string().check(z.maxLength(MAX_SCHEMA)),
  /** The same of its structured result; null: it names none. */
  output: z.nullable(z.string().check(z.maxLength(MAX_SCHEMA))),
  hints: ToolHints,
});
export type OfferedTool = z.infer<typeof OfferedTool>;

export const OfferedResource = z.strictObject({
  /** An address, or with `template` a pattern for some. */
  uri: z.string().check(z.minLength(1), z.maxLength(MAX_URI)),
  template: z.boolean(),
  name: z.string().check(z.maxLength(MAX_TOOL_NAME)),
  description: z.string().check(z.maxLength(1_000)),
  mime: z.nullable(z.string().check(z.maxLength(200))),
});
export type OfferedResource = z.infer<typeof OfferedResource>;

export const OfferedPrompt = z.strictObject({
  name: ForeignName,
  description: z.string().check(z.maxLength(1_000)),
  arguments: z
    .array(
      z.strictObject({
        name: ForeignName,
        description: z.string().check(z.maxLength(1_000)),
        required: z.boolean(),
      }),
    )
    .check(z.maxLength(64)),
});
export type OfferedPrompt = z.infer<typeof OfferedPrompt>;

/** What a server is asked to list. */
export const ListKind = z.enum(["tools", "resources", "prompts"]);
export type ListKind = z.infer<typeof ListKind>;

/** The payload of `connected`, as JSON: what a server says of itself. */
export const ServerInfo = z.strictObject({
  name: z.string().check(z.maxLength(200)),
  version: z.string().check(z.maxLength(100)),
  title: Title,
  /** What it would have models told. Nobody is told it but people who ask. */
  instructions: z.nullable(z.string().check(z.maxLength(MAX_DESCRIPTION))),
});
export type ServerInfo = z.infer<typeof ServerInfo>;

/** The payload of `asked` for a completion, as JSON. */
export const SamplingAsk = z.strictObject({
  system: z.nullable(z.string().check(z.maxLength(65_536))),
  messages: z
    .array(z.strictObject({ role: z.enum(["user", "assistant"]), text: z.string().check(z.maxLength(262_144)) }))
    .check(z.minLength(1), z.maxLength(100)),
  maxTokens: z.int().check(z.gte(1), z.lte(1_000_000)),
});
export type SamplingAsk = z.infer<typeof SamplingAsk>;

/** One thing that a server would have a person fill in. */
export const AskedField = z.strictObject({
  name: ForeignName,
  title: z.string().check(z.maxLength(200)),
  description: z.string().check(z.maxLength(1_000)),
  kind: z.enum(["text", "number", "integer", "boolean", "choice"]),
  required: z.boolean(),
  /** Of a choice. */
  choices: z.array(z.string().check(z.maxLength(200))).check(z.maxLength(100)),
});
export type AskedField = z.infer<typeof AskedField>;

/** The payload of `asked` for a person, as JSON. */
export const ElicitationAsk = z.strictObject({
  message: z.string().check(z.maxLength(4_096)),
  fields: z.array(AskedField).check(z.maxLength(32)),
  /** Somewhere that the person is to go instead of filling in anything here; null: nowhere. */
  url: z.nullable(z.string().check(z.maxLength(MAX_URI))),
});
export type ElicitationAsk = z.infer<typeof ElicitationAsk>;

/** Why something came to nothing. `unreachable`: the server cannot be started or reached. `unauthorized`: it wants a token, or another one. `host-needed`:
 *  it leads to a host that is not on the list, which is the payload. `protocol`: it breaks the protocol. `unknown-tool`: it has none of that
 *  name. `bad-arguments`: they are not what its schema takes. `too-large`: what it sent is. `server-error`: it said so itself. */
export const McpFailure = z.enum([
  "unreachable",
  "unauthorized",
  "host-needed",
  "protocol",
  "unknown-tool",
  "bad-arguments",
  "too-large",
  "timeout",
  "cancelled",
  "server-error",
  "ended",
  "other",
]);
export type McpFailure = z.infer<typeof McpFailure>;

/** A protocol's version: a day. */
const ProtocolVersion = z.string().check(z.regex(/^\d{4}-\d\d-\d\d$/));
const Count = z.int().check(z.gte(0), z.lte(1_000_000_000));

export const FromMcp = z.discriminatedUnion("type", [
  Ready,
  /** The server has answered, and this is what it can; the payload is a {@link ServerInfo}. */
  z.strictObject({
    type: z.literal("connected"),
    protocol: ProtocolVersion,
    tools: z.boolean(),
    resources: z.boolean(),
    prompts: z.boolean(),
  }),
  /** Answers `list`; the payload is JSON: an array of what was asked for. `last`: no more pages come, and `left` were not taken, for they were too many, or
   *  malformed. */
  z.strictObject({ type: z.literal("page"), ref: Ref, last: z.boolean(), left: Count }),
  /** Answers `call`, `read` and `prompt`; the payload is text for the model: UTF-8, at most {@link MAX_MCP_TEXT}. `error`: the server says that it failed. */
  z.strictObject({ type: z.literal("answered"), ref: Ref, error: z.boolean() }),
  /** Of a call that runs; the payload is what the server says of it, at most 1,000 bytes, and may be empty. */
  z.strictObject({
    type: z.literal("progress"),
    ref: Ref,
    done: z.number().check(z.gte(0)),
    of: z.nullable(z.number().check(z.gte(0))),
  }),
  /** The payload is a line that the server would have logged. */
  z.strictObject({
    type: z.literal("log"),
    level: z.enum(["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]),
  }),
  /** The server asks something back; `during` is the call that it seems to be for; null: none runs, or several do. The payload is a {@link SamplingAsk} or
   *  an {@link ElicitationAsk}. It waits for `answer`. */
  z.strictObject({
    type: z.literal("asked"),
    ref: Ref,
    what: z.enum(["sampling", "elicitation"]),
    during: z.nullable(Ref),
  }),
  /** It wants no answer any more. */
  z.strictObject({ type: z.literal("withdrawn"), ref: Ref }),
  /** What it offers is another list now. */
  z.strictObject({ type: z.literal("changed"), what: ListKind }),
  /** Answers `authorize`; the payload is the address that its owner opens. */
  z.strictObject({ type: z.literal("authorization"), ref: Ref }),
  /** Tokens, new or renewed: the payload is a secret that only this role reads, at most 64 KiB. `ref` is that of `code`; null: they were renewed by the way. */
  z.strictObject({ type: z.literal("tokens"), ref: z.nullable(Ref) }),
  /** The payload is one sentence. Without `ref` the connection itself is over. */
  z.strictObject({ type: z.literal("failed"), ref: z.nullable(Ref), reason: McpFailure }),
]);
export type FromMcp = z.infer<typeof FromMcp>;

/** The name that `secret` has for tokens of an earlier authorization; every other one is what `headers` name. */
export const TOKENS = "tokens";

export const ToMcp = z.discriminatedUnion("type", [
  /** Before `start`: what its headers, or its tokens, are. */
  SecretFrame,
  /** Speak to the server: over the descriptors that this process was started with, or, with `url`, over its lane. */
  z.strictObject({
    type: z.literal("start"),
    url: z.nullable(z.url({ protocol: /^https?$/ }).check(z.maxLength(MAX_URI))),
    /** Headers that every request carries, and the secret that each is. */
    headers: z
      .array(z.extend(CredentialPlace, { secret: z.string().check(z.regex(/^[a-z0-9-]{1,64}$/)) }))
      .check(z.maxLength(8)),
    /** Wait with everything but `authorize`. */
    authorizing: z.boolean(),
  }),
  z.strictObject({ type: z.literal("list"), ref: Ref, what: ListKind }),
  /** The payload is the arguments as JSON; `schema` is the digest of the very tool that this was decided for: another one is not called. */
  z.strictObject({
    type: z.literal("call"),
    ref: Ref,
    tool: ForeignName,
    digest: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
    timeoutMs: z.int().check(z.gte(1000), z.lte(MAX_CALL_MS)),
  }),
  /** The payload is the address. */
  z.strictObject({ type: z.literal("read"), ref: Ref, timeoutMs: z.int().check(z.gte(1000), z.lte(MAX_CALL_MS)) }),
  /** The payload is the arguments as JSON: an object of strings. */
  z.strictObject({
    type: z.literal("prompt"),
    ref: Ref,
    name: ForeignName,
    timeoutMs: z.int().check(z.gte(1000), z.lte(MAX_CALL_MS)),
  }),
  z.strictObject({ type: z.literal("cancel"), ref: Ref }),
  /** To `asked`. The payload: with `accept` what a model said as UTF-8 (`sampling`), or the fields as JSON (`elicitation`); else empty. */
  z.strictObject({
    type: z.literal("answer"),
    ref: Ref,
    verdict: z.enum(["accept", "decline", "cancel"]),
    /** The model that said it. */
    model: z.nullable(z.string().check(z.maxLength(200))),
  }),
  /** Begin OAuth: register, and say where its owner is to go. `redirect` is where that ends: on this machine. */
  z.strictObject({
    type: z.literal("authorize"),
    ref: Ref,
    redirect: z.url({ protocol: /^http$/ }).check(z.maxLength(256)),
    scope: z.nullable(z.string().check(z.maxLength(1_000))),
  }),
  /** What came back to `redirect`: the payload is all of its query, which is checked against what `authorize` began. Answered by `tokens`. */
  z.strictObject({ type: z.literal("code"), ref: Ref }),
  Stop,
]);
export type ToMcp = z.infer<typeof ToMcp>;
