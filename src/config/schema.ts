import * as z from "zod/mini";
import { HostName } from "../ipc/egress-frames.ts";
import { McpServer } from "./mcp.ts";
import { readLocalSocket } from "../ipc/local-socket.ts";
import { AdapterChannel, LOCAL_CHANNELS } from "../ipc/channel.ts";
import { ConversationId, Name, PrincipalId } from "../ipc/ids.ts";
import { Role } from "../ipc/operator.ts";
import { SearchService } from "../ipc/fetch-frames.ts";
import { ModelRef } from "../ipc/provider.ts";

/** What the operator may write in `config.json`. The schema is the type; what is not here is refused. */

const Agent = z.strictObject({
  /** `provider/model`. Left out: what the default agent has; and of that one, the first provider enrolled, else Ollama if it answers, else the built-in offline model. */
  model: z.optional(ModelRef),
  /** Models that are asked where that one is not there to answer, in this order, each `provider/model`. */
  fallback: z.optional(z.array(ModelRef).check(z.maxLength(8))),
  /** What the agent is told before every conversation, at most 64 KiB. */
  instructions: z.optional(z.string().check(z.maxLength(65_536))),
  /** US dollars a day; 5 where it is left out. `wirken budget set` goes before it. */
  budgetUsdPerDay: z.optional(z.number().check(z.gte(0), z.lte(100_000))),
  /** Tool rounds in one turn. */
  rounds: z._default(z.int().check(z.gte(1), z.lte(100)), 20),
  /** The skills that it has, by name; left out: all that are there. */
  skills: z.optional(z.array(z.string().check(z.regex(/^[a-z0-9-]{1,64}$/))).check(z.maxLength(500))),
  /** The tools that it has, by name; a * at the end stands for any further characters. Left out: all. */
  tools: z.optional(
    z
      .array(
        z.string().check(z.regex(/^[A-Za-z0-9_./:-]{0,199}\*?$/, "write a tool's name, such as read_file or web_*")),
      )
      .check(z.maxLength(500)),
  ),
  /** Who may talk to it beside the owners, by id as `wirken people list` prints it. Left out: everybody who is paired. */
  people: z.optional(z.array(PrincipalId).check(z.maxLength(1000))),
  /** Minutes that a turn may take in all. */
  turnMinutes: z._default(z.number().check(z.gte(0.1), z.lte(240)), 15),
});

const Address = z.string().check(
  z.maxLength(512),
  z.refine(
    (text) => z.url({ protocol: /^https?$/ }).safeParse(text).success || readLocalSocket(text) !== null,
    "write http://HOST:PORT, https://HOST, or unix:/PATH of a socket of this machine",
  ),
);

const Provider = z.strictObject({
  /** An OpenAI-compatible or Anthropic endpoint, such as http://127.0.0.1:8080/v1, or a Unix socket, such as unix:/run/ollama.sock:/v1. */
  baseUrl: Address,
  /** Left out: as the provider is known to speak, else OpenAI-compatible. */
  api: z.optional(z.enum(["openai-compatible", "azure", "anthropic", "gemini", "bedrock", "privatemode"])),
  /** Of Privatemode: the manifest that its proxy holds the service to, or the folder where it keeps those that it has seen (`manifests` in its workspace).
   *  Rows name it by its digest. */
  manifest: z.optional(z.string().check(z.maxLength(1024), z.regex(/^\//, "write the whole path, from / on"))),
});

/** US dollars for a million tokens. */
const Dollars = z.number().check(z.gte(0), z.lte(100_000));

const ModelPrice = z.strictObject({
  input: Dollars,
  output: Dollars,
  /** As of which day, such as 2026-11-29, and where that is said. */
  asOf: z.optional(z.iso.date()),
  source: z.optional(z.string().check(z.maxLength(200))),
});

/** What a model can take, where its provider does not say so, or says something else. */
const ModelAbilities = z.strictObject({
  /** What its context holds, in tokens. */
  window: z.optional(z.int().check(z.gte(1_000), z.lte(100_000_000))),
  images: z.optional(z.boolean()),
  pdfs: z.optional(z.boolean()),
});

const Channel = z.strictObject({
  enabled: z._default(z.boolean(), true),
  /** Another API than the platform's public one, e.g. a Bot API server of your own. */
  apiRoot: z.optional(Address),
  /** Who answers there, but in the conversations that are bound to another one. */
  agent: z._default(Name, "default"),
});

const Network = z.strictObject({
  /** A proxy that everything is reached through but what is on this machine: http://proxy.example:3128, or https:// where it is spoken to over TLS.
   *  Left out: HTTPS_PROXY in the environment of `wirken start`. */
  proxy: z.optional(
    z
      .url({ protocol: /^https?$/, error: "write http://HOST:PORT, or https://HOST:PORT" })
      .check(
        z.maxLength(512),
        z.regex(/^[^@]*$/, "a proxy's user and password do not stand here: wirken vault add proxy"),
        z.regex(/^https?:\/\/[^/?#]+\/?$/i, "a proxy has a host and a port, and no path"),
      ),
  ),
  /** Hosts that an agent's commands and requests may reach at an address of a network of your own, if they are allowed the host: such as
   *  git.example.internal. Requests go to these on any port, and to all others on 443 only. */
  local: z._default(z.array(HostName).check(z.maxLength(64)), []),
  /** A file with further certificates to trust, as PEM: those of a company's own authority, say. */
  ca: z.optional(
    z.string().check(z.maxLength(1024), z.regex(/^(\/|[A-Za-z]:[\\/])/, "write the whole path, from / on")),
  ),
});

/** An action's key, as `wirken policy show` names them; * stands for any characters: http:*.example.com, exec:net:*. */
const KeyPattern = z
  .string()
  .check(
    z.maxLength(300),
    z.regex(/^[a-z*][a-z0-9_./:*-]*$/, "write an action's key, such as exec:rw or http:*.example.com"),
  );

/** A rule goes before every approval that is remembered. Of several, a denial goes before a question, and a question before an allowance. */
const Rule = z.strictObject({
  /** `deny`: refused, whoever would approve it. `ask`: asked for every time. `allow`: not asked for where it would be asked once; and where it names a
   *  destination, not asked for either because something untrusted and something private are both in the conversation. What is asked for every
   *  time by itself stays so. */
  effect: z.enum(["deny", "ask", "allow"]),
  key: KeyPattern,
  /** For whom: all of those that are given have to fit. A person is named by id, as `wirken people list` prints it. */
  agent: z.optional(Name),
  person: z.optional(PrincipalId),
  role: z.optional(Role),
  channel: z.optional(z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)])),
});

/** An action that two different approvers have to approve, each time, however it would be decided otherwise. */
const TwoPeople = z.strictObject({
  key: KeyPattern,
  /** May whoever asks be one of the two? */
  requesterCounts: z._default(z.boolean(), false),
});

const Policy = z.strictObject({
  twoPeople: z._default(z.array(TwoPeople).check(z.maxLength(200)), []),
  rules: z._default(z.array(Rule).check(z.maxLength(1000)), []),
  /** `private`: what is labelled private is told to no model but one whose provider has shown what it is. */
  attested: z.optional(z.enum(["private"])),
});

const Search = z.strictObject({
  /** Whom web searches are asked of; `off`: nobody. Of those that may be asked without a key only Wikipedia is everybody's, and it finds its own pages. */
  service: z._default(z.union([z.literal("off"), SearchService]), "wikipedia"),
  /** Where it is, if not where it is shipped to be: an instance of SearXNG is somebody's own. */
  url: z.optional(z.url({ protocol: /^https$/, error: "write https://HOST" }).check(z.maxLength(512))),
  /** Of Wikipedia, such as en or de. */
  language: z._default(
    z.string().check(z.regex(/^[a-z]{2,3}$/, "a language has two or three letters, such as en")),
    "en",
  ),
});

/** A list of skills that somebody signs: where it is, and with which key. */
const SkillsConfig = z.strictObject({
  index: z.optional(
    z.strictObject({
      url: z.url({ protocol: /^https$/, error: "write https://HOST/PATH" }).check(z.maxLength(2048)),
      key: z
        .string()
        .check(z.maxLength(256), z.regex(/^[^+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+$/, "write NAME+HEX+BASE64")),
    }),
  ),
});

/** Where packages of one kind are installed from, instead of the public registry: a company's mirror, say. */
const Registry = z.strictObject({
  url: z.url({ protocol: /^https$/, error: "write https://HOST/PATH" }).check(z.maxLength(512)),
  /** Further hosts that its files lie with, on port 443. */
  files: z._default(z.array(HostName).check(z.maxLength(8)), []),
});

const Days = z.nullable(z.int().check(z.gte(1), z.lte(36_500)));

const Retention = z.strictObject({
  /** What was said, asked and answered: it is erased, and its rows stay. */
  content: z._default(Days, 90),
  /** The rows themselves: their hashes stay. */
  rows: z._default(Days, null),
  /** Copies of files as they were before an agent changed them. */
  undo: z._default(Days, 7),
  /** Files that were sent. None are kept so far. */
  blobs: z._default(Days, 30),
  /** What agents keep for people between conversations. */
  memory: z._default(Days, null),
});

const Settings = z.strictObject({
  agents: z._default(z.record(Name, Agent), {}),
  providers: z._default(z.record(Name, Provider), {}),
  channels: z._default(z.record(AdapterChannel, Channel), {}),
  /** What models cost, where that is not what we ship or where we ship none: `"openrouter/some/model": { "input": 1, "output": 4 }`. */
  prices: z._default(z.record(ModelRef, ModelPrice), {}),
  /** What models can take: `"ollama/qwen3": { "window": 32768 }`. */
  models: z._default(z.record(ModelRef, ModelAbilities), {}),
  web: z._default(
    z.strictObject({
      /** The page's port on 127.0.0.1; 0 lets the system choose. */
      port: z._default(z.int().check(z.gte(0), z.lte(65_535)), 7717),
      /** The agent that the page begins with. */
      agent: z._default(Name, "default"),
    }),
    { port: 7717, agent: "default" },
  ),
  /** The agent that the terminal talks to where the command names none. */
  terminal: z._default(z.strictObject({ agent: z._default(Name, "default") }), { agent: "default" }),
  /** Single conversations that another agent answers in than the rest of their channel: `"c_…": "coder"`. */
  conversations: z._default(z.record(ConversationId, Name), {}),
  /** How this machine's network is left, where that is not directly. */
  network: z.prefault(Network, {}),
  /** Web search. */
  search: z.prefault(Search, {}),
  /** Where skills are installed from by name, beside those that are shipped. */
  skills: z.prefault(SkillsConfig, {}),
  /** MCP servers, each a process of its own in the sandbox, or at a URL. */
  mcp: z._default(z.record(Name, McpServer), {}),
  /** Where MCP servers are installed from: `npm` for npx, `pypi` (its "simple" index) for uvx. Left out: the public ones. */
  registries: z.prefault(z.strictObject({ npm: z.optional(Registry), pypi: z.optional(Registry) }), {}),
  /** Folders with programs that commands may read and run beside the system's, such as /opt/node: their `bin`, or they themselves, come first in PATH. */
  toolchains: z._default(
    z
      .array(z.string().check(z.maxLength(1024), z.regex(/^\//, "write the whole path, from / on")))
      .check(z.maxLength(16)),
    [],
  ),
  /** What the operator allows, has asked for and refuses, beside what the rules say by themselves. */
  policy: z.prefault(Policy, {}),
  /** `full`: the daemon starts only where every wall of the operating system stands. */
  confinement: z._default(z.enum(["as-available", "full"]), "as-available"),
  /** Days after which what was recorded goes, every night; null: it stays. */
  retention: z.prefault(Retention, {}),
  /** What people are told of it, in other words than those that follow from `retention`. */
  retentionNote: z.optional(z.string().check(z.maxLength(200))),
});

export const Config = Settings.check((ctx) => {
  // An agent that is not there would answer nobody.
  const { agents, channels, conversations, terminal, web } = ctx.value;
  const named: readonly (readonly [path: readonly string[], agent: string])[] = [
    [["terminal", "agent"], terminal.agent],
    [["web", "agent"], web.agent],
    ...Object.entries(channels).map(([channel, { agent }]) => [["channels", channel, "agent"], agent] as const),
    ...Object.entries(conversations).map(([one, agent]) => [["conversations", one], agent] as const),
  ];
  for (const [path, agent] of named)
    if (agent !== "default" && !Object.hasOwn(agents, agent))
      ctx.issues.push({
        code: "custom",
        input: agent,
        path: [...path],
        message: `there is no agent ${agent} under agents`,
      });
});
export type Config = z.infer<typeof Config>;
export type { McpServer } from "./mcp.ts";
export type RegistriesConfig = Config["registries"];
export type RetentionConfig = z.infer<typeof Retention>;
/** What a new agent may spend a day, in US dollars. */
export const DEFAULT_USD_A_DAY = 5;
export type AgentConfig = z.infer<typeof Agent>;
export type ChannelConfig = z.infer<typeof Channel>;

export const AGENT_DEFAULTS: AgentConfig = Agent.parse({});
