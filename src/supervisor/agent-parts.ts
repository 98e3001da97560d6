import type { AuditLog } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import { AgentDesk } from "./agent-desk.ts";
import { placesOf, withoutAgent } from "./agent-places.ts";
import { AgentRemoval } from "./agent-removal.ts";
import type { Agents } from "./agents.ts";
import type { Channels } from "./channels.ts";
import type { ConfigFile } from "./config-file.ts";
import type { Folders } from "./folders.ts";
import type { Halts } from "./halts.ts";
import type { InstructionFiles } from "./instruction-files.ts";
import type { Memory } from "./memory.ts";
import type { By } from "./people.ts";
import type { ScheduleDesk } from "./schedule-desk.ts";
import type { State } from "./state.ts";
import type { Workspaces } from "./workspaces.ts";

interface AgentParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly agents: Agents;
  readonly config: ConfigFile;
  readonly grants: Grants;
  readonly folders: Folders;
  readonly memory: Memory;
  readonly instructions: InstructionFiles;
  readonly workspaces: Workspaces;
  readonly schedules: ScheduleDesk;
  readonly skills: () => readonly string[];
  readonly channels: () => Channels;
  readonly halts: Halts;
  readonly endSession: (session: string, who: By) => Promise<void>;
}

/** What the owner may ask about agents, over everything that an agent can have. */
export function agentDeskOf(parts: AgentParts): AgentDesk {
  const { state, config, channels, halts, ...shared } = parts;
  const removal = new AgentRemoval({
    ...shared,
    state,
    places: (agent) => placesOf(config.config, agent, (one) => state.conversation(one)?.channel ?? null),
    running: (agent) => channels().runningOf(agent),
    unconfigure: async (agent) => await config.setAll(withoutAgent(config.config, agent)),
  });
  return new AgentDesk({
    ...shared,
    state,
    config,
    removal,
    halted: (agent) => halts.over(agent, ""),
  });
}
