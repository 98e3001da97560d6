import * as z from "zod";
import { AdapterChannel } from "../ipc/channel.ts";
import { Name } from "../ipc/ids.ts";
import { ModelRef } from "../ipc/provider.ts";

/** What the operator may write in `config.json`. The schema is the type; what is not here is refused. */

const Agent = z.strictObject({
  /** `provider/model`. Left out: the first provider enrolled, else Ollama if it answers, else the built-in offline model. */
  model: ModelRef.optional(),
  /** What the agent is told before every conversation, at most 64 KiB. */
  instructions: z.string().max(65_536).optional(),
  /** US dollars a day. */
  budgetUsdPerDay: z.number().min(0).max(100_000).default(5),
  /** Tool rounds in one turn. */
  rounds: z.int().min(1).max(100).default(20),
  /** Minutes that a turn may take in all. */
  turnMinutes: z.number().min(0.1).max(240).default(15),
});

const Provider = z.strictObject({
  /** An OpenAI-compatible or Anthropic endpoint, such as http://127.0.0.1:8080/v1. */
  baseUrl: z.url({ protocol: /^https?$/ }).max(512),
  /** Left out: as the provider is known to speak, else OpenAI-compatible. */
  api: z.enum(["openai-compatible", "anthropic"]).optional(),
});

const Channel = z.strictObject({
  enabled: z.boolean().default(true),
  /** Another API than the platform's public one, e.g. a Bot API server of your own. */
  apiRoot: z
    .url({ protocol: /^https?$/ })
    .max(512)
    .optional(),
  agent: Name.default("default"),
});

const Days = z.int().min(1).max(36_500).nullable();

const Retention = z.strictObject({
  /** What was said, asked and answered: it is erased, and its rows stay. */
  content: Days.default(90),
  /** The rows themselves: their hashes stay. */
  rows: Days.default(null),
  /** Copies of files as they were before an agent changed them. None are made so far. */
  undo: Days.default(7),
  /** Files that were sent. None are kept so far. */
  blobs: Days.default(30),
  /** What agents remember between conversations. Nothing so far. */
  memory: Days.default(null),
});

export const Config = z.strictObject({
  agents: z.record(Name, Agent).default({}),
  providers: z.record(Name, Provider).default({}),
  channels: z.record(AdapterChannel, Channel).default({}),
  web: z
    .strictObject({
      /** The page's port on 127.0.0.1; 0 lets the system choose. */
      port: z.int().min(0).max(65_535).default(7717),
    })
    .default({ port: 7717 }),
  /** Days after which what was recorded goes, every night; null: it stays. */
  retention: Retention.prefault({}),
  /** What people are told of it, in other words than those that follow from `retention`. */
  retentionNote: z.string().max(200).optional(),
});
export type Config = z.infer<typeof Config>;
export type RetentionConfig = z.infer<typeof Retention>;
export type AgentConfig = z.infer<typeof Agent>;
export type ChannelConfig = z.infer<typeof Channel>;

export const AGENT_DEFAULTS: AgentConfig = Agent.parse({});
