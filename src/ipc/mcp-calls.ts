import * as z from "zod/mini";
import { ForeignName } from "./mcp-frames.ts";

/** What the owner may ask about MCP servers. */

const Server = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "a server's name has small letters, digits and -"));
const Digest = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const Text = z.string();
const Sentences = z.array(z.string());
/** The words behind `--`, as a shell would give them to a program. */
const Words = z.array(z.string().check(z.minLength(1), z.maxLength(4096))).check(z.minLength(1), z.maxLength(128));

/** A server's entry as `config.json` has it: what is wrong with it is said by the schema of that. */
const Entry = z.record(z.string(), z.unknown());

/** The tools that are accepted, each by what it was when it was shown. */
const Shown = z.array(z.strictObject({ name: ForeignName, digest: Digest })).check(z.maxLength(512));

/** One authorization that is under way; the browser comes back with it. */
export const AuthorizationId = z.string().check(z.regex(/^[A-Za-z0-9_-]{32}$/));

export const MCP_CALLS = [
  z.strictObject({ call: z.literal("mcp.list") }),
  z.strictObject({ call: z.literal("mcp.show"), name: Server }),
  /** Installs what `npx …` or `uvx …` names; nothing of it runs. What is neither is answered as it is. */
  z.strictObject({ call: z.literal("mcp.install"), words: Words }),
  /** Writes the entry into `config.json`. Nobody has a tool of it before `mcp.accept`. */
  z.strictObject({ call: z.literal("mcp.add"), name: Server, entry: Entry, installed: z.nullable(Digest) }),
  z.strictObject({ call: z.literal("mcp.remove"), name: Server, credentials: z.boolean() }),
  z.strictObject({ call: z.literal("mcp.enable"), name: Server }),
  z.strictObject({ call: z.literal("mcp.disable"), name: Server }),
  /** Starts it where it does not run, and asks what it offers. */
  z.strictObject({ call: z.literal("mcp.test"), name: Server }),
  /** `tool`: all that is known of that one. */
  z.strictObject({ call: z.literal("mcp.tools"), name: Server, tool: z.nullable(ForeignName) }),
  /** These and those that are accepted already; `only`: these alone. */
  z.strictObject({ call: z.literal("mcp.accept"), name: Server, tools: Shown, only: z.boolean() }),
  /** Installs the newest version that will do beside the one in use, and asks it what it offers. */
  z.strictObject({ call: z.literal("mcp.update"), name: Server }),
  /** Takes what `mcp.update` found into use. */
  z.strictObject({ call: z.literal("mcp.update.take"), name: Server, digest: Digest }),
  z.strictObject({ call: z.literal("mcp.update.leave"), name: Server }),
  /** @returns where the owner's browser is to go. */
  z.strictObject({
    call: z.literal("mcp.authorize"),
    name: Server,
    scope: z.nullable(z.string().check(z.maxLength(1000))),
    /** A host that was shown and may be reached for it, beside those that the entry names. */
    host: z.nullable(z.string().check(z.maxLength(253))),
  }),
  /** Answers when the browser came back, or nobody did. */
  z.strictObject({ call: z.literal("mcp.authorize.wait"), id: AuthorizationId }),
  /** The payload is the query that the browser came back with. */
  z.strictObject({ call: z.literal("mcp.authorize.back"), id: AuthorizationId }),
] as const;

const ServerView = z.strictObject({
  name: Server,
  /** As it is started or reached, in one line. */
  what: Text,
  state: z.enum(["off", "stopped", "starting", "up", "waiting", "given-up"]),
  version: z.nullable(Text),
  accepted: z.int(),
  /** Nobody accepted these yet. */
  fresh: z.int(),
  /** These became another thing than was accepted: nobody has them. */
  changed: z.int(),
  /** What is to be done, or why it is not up; null: nothing. */
  note: z.nullable(Text),
});

const ToolView = z.strictObject({
  name: Text,
  /** As agents call it; null: it has no name that models take. */
  offeredAs: z.nullable(Text),
  standing: z.enum(["accepted", "new", "changed", "gone"]),
  /** Null: it is not offered now. */
  digest: z.nullable(Digest),
  /** Its first words. */
  description: Text,
  /** What it says of itself: read-only, say. Nothing is decided by it. */
  hints: Sentences,
});
const Tools = z.array(ToolView);

const Trial = z.discriminatedUnion("state", [
  z.strictObject({
    state: z.literal("works"),
    protocol: Text,
    server: Text,
    tools: Tools,
    /** Offered and not taken. */
    left: z.int(),
    resources: z.int(),
    prompts: z.int(),
    ms: z.int(),
  }),
  z.strictObject({ state: z.literal("failed"), reason: Text, sentence: Text }),
]);

export const MCP_ANSWERS = {
  "mcp.list": z.strictObject({ servers: z.array(ServerView) }),
  "mcp.show": z.extend(ServerView, {
    wants: Sentences,
    package: z.nullable(z.strictObject({ name: Text, version: Text, digest: Digest, from: Text })),
    agents: z.nullable(z.array(Text)),
    protocol: z.nullable(Text),
    since: z.nullable(Text),
    restarts: z.int(),
    /** What only it uses: named, for whoever removes it. */
    credentials: Sentences,
  }),
  "mcp.install": z.strictObject({
    command: z.array(Text),
    installed: z.nullable(
      z.strictObject({ package: Text, version: Text, digest: Digest, host: Text, packages: z.int() }),
    ),
  }),
  "mcp.add": z.strictObject({ name: Server, wants: Sentences }),
  "mcp.remove": z.strictObject({ name: Server, grants: z.int(), credentials: Sentences }),
  "mcp.enable": ServerView,
  "mcp.disable": ServerView,
  "mcp.test": Trial,
  "mcp.tools": z.strictObject({
    tools: Tools,
    /** Of the one that was asked for: everything, line by line, and what is different from what was accepted. */
    text: z.nullable(Text),
    difference: z.nullable(Text),
  }),
  "mcp.accept": z.strictObject({ accepted: z.int() }),
  "mcp.update": z.discriminatedUnion("state", [
    /** `mended`: its files were others than those that were installed, and are those again. */
    z.strictObject({ state: z.literal("newest"), version: Text, mended: z.boolean() }),
    z.strictObject({
      state: z.literal("newer"),
      from: Text,
      to: Text,
      digest: Digest,
      trial: Trial,
      /** Tools that become another thing, are new, or go. */
      changes: z.array(z.strictObject({ tool: Text, how: z.enum(["changed", "new", "gone"]), difference: Text })),
    }),
  ]),
  "mcp.update.take": ServerView,
  "mcp.update.leave": z.strictObject({}),
  "mcp.authorize": z.discriminatedUnion("state", [
    z.strictObject({ state: z.literal("open"), url: Text, id: AuthorizationId }),
    /** It leads to a host that is on no list. */
    z.strictObject({ state: z.literal("host-needed"), host: Text }),
  ]),
  "mcp.authorize.wait": z.strictObject({ trouble: z.nullable(Text) }),
  "mcp.authorize.back": z.strictObject({}),
} as const;
