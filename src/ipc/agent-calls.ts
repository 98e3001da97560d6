import * as z from "zod/mini";
import { AdapterChannel, LOCAL_CHANNELS } from "./channel.ts";
import { ConversationId, Name, PrincipalId } from "./ids.ts";
import { ModelRef } from "./provider.ts";

/** What the owner may ask about agents: which there are, what each is told and has, who may talk to it, and where it answers. */

/** The most that an instructions file may hold, in characters. */
export const MAX_INSTRUCTIONS = 65_536;
/** Names in one list: tools, skills, people. */
const MAX_NAMES = 500;

const ToolPattern = z.string().check(z.regex(/^[A-Za-z0-9_./:-]{0,199}\*?$/), z.minLength(1));
const SkillName = z.string().check(z.regex(/^[a-z0-9-]{1,64}$/));

/** What may be set. Left out: it stays as it is; null: as it is where nobody set it. */
export const AgentSettings = z.strictObject({
  model: z.optional(z.nullable(ModelRef)),
  instructions: z.optional(z.nullable(z.string().check(z.maxLength(MAX_INSTRUCTIONS)))),
  tools: z.optional(z.nullable(z.array(ToolPattern).check(z.maxLength(MAX_NAMES)))),
  skills: z.optional(z.nullable(z.array(SkillName).check(z.maxLength(MAX_NAMES)))),
  people: z.optional(z.nullable(z.array(PrincipalId).check(z.maxLength(MAX_NAMES)))),
  /** US dollars. */
  budgetUsdPerDay: z.optional(z.nullable(z.number().check(z.gte(0), z.lte(100_000)))),
  rounds: z.optional(z.nullable(z.int().check(z.gte(1), z.lte(100)))),
  turnMinutes: z.optional(z.nullable(z.number().check(z.gte(0.1), z.lte(240)))),
});
export type AgentSettings = z.infer<typeof AgentSettings>;

/** Where an agent answers: on a channel, or in one conversation of it. */
export const AgentPlace = z.strictObject({
  channel: z.union([AdapterChannel, z.enum(LOCAL_CHANNELS)]),
  conversation: z.nullable(ConversationId),
});
export type AgentPlace = z.infer<typeof AgentPlace>;

export const AGENT_CALLS = [
  z.strictObject({ call: z.literal("agents.list") }),
  z.strictObject({ call: z.literal("agents.show"), agent: Name }),
  z.strictObject({ call: z.literal("agents.add"), agent: Name, settings: AgentSettings }),
  z.strictObject({ call: z.literal("agents.set"), agent: Name, settings: AgentSettings }),
  z.strictObject({ call: z.literal("agents.bind"), agent: Name, place: AgentPlace }),
  /** What would go with it. */
  z.strictObject({ call: z.literal("agents.leaving"), agent: Name }),
  /** Removes it. `digest`: of what was said to go with it; something else by now is refused. */
  z.strictObject({
    call: z.literal("agents.remove"),
    agent: Name,
    digest: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
  }),
] as const;

const Place = z.strictObject({ channel: z.string(), conversation: z.nullable(z.string()) });
const Person = z.strictObject({ principal: z.string(), name: z.nullable(z.string()) });

const AgentView = z.strictObject({
  agent: Name,
  /** `provider/model`, as it is in force. */
  model: z.string(),
  /** Is there a model set for it? Otherwise it is chosen by what is enrolled. */
  chosen: z.boolean(),
  /** One sentence when something is to be done about its model. */
  note: z.nullable(z.string()),
  /** Where it answers. */
  places: z.array(Place),
  /** Who may talk to it beside the owners; null: everybody who is paired. */
  people: z.nullable(z.array(Person)),
  halted: z.boolean(),
});
export type AgentView = z.infer<typeof AgentView>;

const FolderLine = z.strictObject({ name: z.string(), path: z.string(), access: z.enum(["read", "write"]) });

const AgentDetails = z.extend(AgentView, {
  /** Its own; null: what every agent is told where nobody wrote anything. */
  instructions: z.nullable(z.string()),
  /** Those it has, of all there are. */
  tools: z.array(z.string()),
  /** Names in its list that are no tool's. */
  unknownTools: z.array(z.string()),
  allTools: z.boolean(),
  skills: z.array(z.string()),
  allSkills: z.boolean(),
  budgetUsdPerDay: z.nullable(z.number()),
  rounds: z.int(),
  turnMinutes: z.number(),
  /** Where it works: what all people share with it, and each person's own. */
  workspaces: z.array(z.string()),
  folders: z.array(FolderLine),
  grants: z.int(),
  schedules: z.int(),
  memories: z.int(),
  sessions: z.int(),
  /** SHA-256 of these settings, salted, as rows name them. */
  digest: z.string(),
});
export type AgentDetails = z.infer<typeof AgentDetails>;

const AgentLeaving = z.strictObject({
  agent: Name,
  folders: z.array(FolderLine),
  grants: z.int(),
  schedules: z.array(z.strictObject({ schedule: z.string(), text: z.string() })),
  memories: z.int(),
  /** Paths of the files of instructions that it is told. */
  instructions: z.array(z.string()),
  /** Conversations that are open with it; they end. */
  sessions: z.int(),
  /** Turns that run now; they end. */
  running: z.int(),
  /** Where it answers: the default agent does after it. */
  places: z.array(Place),
  /** They stay, with what is in them. */
  workspaces: z.array(z.strictObject({ path: z.string(), files: z.int() })),
  /** Why it cannot be removed. */
  refused: z.nullable(z.string()),
  digest: z.string(),
});
export type AgentLeaving = z.infer<typeof AgentLeaving>;

export const AGENT_ANSWERS = {
  "agents.list": z.strictObject({ agents: z.array(AgentView) }),
  "agents.show": AgentDetails,
  "agents.add": AgentDetails,
  "agents.set": AgentDetails,
  "agents.bind": z.strictObject({ agent: Name, place: Place, before: z.string() }),
  "agents.leaving": AgentLeaving,
  "agents.remove": AgentLeaving,
} as const;
