import type { AuditLog } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import { AGENT_DEFAULTS, type Config } from "../config/schema.ts";
import type { AgentDetails, AgentPlace, AgentSettings, AgentView } from "../ipc/agent-calls.ts";
import { Name } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { splitModelRef } from "../ipc/provider.ts";
import { answererAt, bindingOf, placesOf } from "./agent-places.ts";
import type { AgentRemoval } from "./agent-removal.ts";
import type { Agents } from "./agents.ts";
import type { ConfigFile } from "./config-file.ts";
import type { Folders } from "./folders.ts";
import { configOf, knowsAgent, unknownTools } from "./in-force.ts";
import type { Memory } from "./memory.ts";
import { providerSettings } from "./model-choice.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { State } from "./state.ts";
import type { Workspaces } from "./workspaces.ts";

type Asked = Extract<OperatorCall, { call: `agents.${string}` }>;
type Answers = { [C in Asked["call"]]: AnswerTo<C> }[Asked["call"]];

export interface AgentDeskParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly agents: Agents;
  readonly config: ConfigFile;
  readonly grants: Grants;
  readonly folders: Folders;
  readonly memory: Memory;
  readonly workspaces: Workspaces;
  readonly removal: AgentRemoval;
  readonly halted: (agent: string) => boolean;
  /** Names of the skills that are there. */
  readonly skills: () => readonly string[];
}

const SEE = "see: wirken agents list";

/** What the owner asks about agents. The configuration file holds what is set; rows say by whom. */
export class AgentDesk {
  readonly #parts: AgentDeskParts;

  constructor(parts: AgentDeskParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} with a sentence for the caller. */
  async answer(call: Asked, who: By): Promise<Answers> {
    const { removal } = this.#parts;
    switch (call.call) {
      case "agents.list":
        return { agents: this.#parts.agents.names.map((agent) => this.#view(Name.parse(agent))) };
      case "agents.show":
        return this.#details(this.#known(call.agent));
      case "agents.add":
        return await this.#add(call.agent, call.settings, who);
      case "agents.set":
        return await this.#set(this.#known(call.agent), call.settings, who);
      case "agents.bind":
        return await this.#bind(this.#known(call.agent), call.place, who);
      case "agents.leaving":
        return removal.leaving(this.#removable(call.agent));
      case "agents.remove":
        return await removal.remove(this.#removable(call.agent), call.digest, who);
    }
  }

  get #config(): Config {
    return this.#parts.config.config;
  }

  #known(agent: Name): Name {
    if (knowsAgent(this.#config, agent)) return agent;
    throw new OperatorError("not-found", `there is no agent ${agent}`, SEE);
  }

  #removable(agent: Name): Name {
    if (agent === "default")
      throw new OperatorError(
        "refused",
        "the default agent answers where no other one does, and is not removed",
        "its settings go back with: wirken agents set default --clear all",
      );
    return this.#known(agent);
  }

  async #add(agent: Name, settings: AgentSettings, who: By): Promise<AgentDetails> {
    if (knowsAgent(this.#config, agent))
      throw new OperatorError(
        "usage",
        `there is an agent ${agent} already`,
        `change it with: wirken agents set ${agent}`,
      );
    this.#check(settings);
    await this.#parts.log.append({ kind: "agent.changed", agent, change: "added", ...who }, { cause: null });
    const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));
    await this.#parts.config.set(["agents", agent], given);
    return this.#details(agent);
  }

  async #set(agent: Name, settings: AgentSettings, who: By): Promise<AgentDetails> {
    this.#check(settings);
    await this.#parts.log.append({ kind: "agent.changed", agent, change: "set", ...who }, { cause: null });
    await this.#parts.config.setAll(
      Object.entries(settings).map(([key, value]) => ({ path: ["agents", agent, key], value: value ?? undefined })),
    );
    return this.#details(agent);
  }

  async #bind(agent: Name, place: AgentPlace, who: By): Promise<AnswerTo<"agents.bind">> {
    const { log, state, config } = this.#parts;
    const { channel, conversation } = place;
    if (channel !== "terminal" && channel !== "web" && !Object.hasOwn(this.#config.channels, channel))
      throw new OperatorError(
        "not-found",
        `there is no channel ${channel} here`,
        `enrol it: wirken vault add ${channel}`,
      );
    if (conversation !== null && state.conversation(conversation)?.channel !== channel)
      throw new OperatorError(
        "not-found",
        `there is no conversation ${conversation} on ${channel}`,
        "it is there once somebody wrote in it: wirken audit log --kind conversation.opened",
      );
    if (conversation !== null && (channel === "terminal" || channel === "web"))
      throw new OperatorError("usage", `on the ${channel} each agent has its own conversation`, "bind all of it");
    const before = answererAt(this.#config, channel, conversation);
    if (before !== agent) {
      await log.append({ kind: "agent.changed", agent, change: "bound", ...who }, { cause: null });
      const { path, value } = bindingOf(this.#config, agent, place);
      await config.set(path, value);
    }
    return { agent, place, before };
  }

  /** @throws {OperatorError} for what could not be in force. */
  #check({ model, people, skills, tools }: AgentSettings): void {
    const { state, agents } = this.#parts;
    if (model !== undefined && model !== null) {
      const { provider } = splitModelRef(model);
      if (providerSettings(this.#config, provider) === null)
        throw new OperatorError("not-found", `there is no provider ${provider}`, "see: wirken models list");
    }
    for (const principal of people ?? [])
      if (state.person(principal) === null)
        throw new OperatorError("not-found", `nobody has the id ${principal}`, "see: wirken people list");
    const missing = (skills ?? []).filter((name) => !this.#parts.skills().includes(name));
    if (missing.length > 0)
      throw new OperatorError("not-found", `there is no skill ${missing.join(", ")}`, "see: wirken skills list");
    const unknown = unknownTools(agents.inForce.tools, tools ?? []);
    if (unknown.length > 0)
      throw new OperatorError(
        "not-found",
        `there is no tool ${unknown.join(", ")}`,
        `there are ${agents.inForce.tools.map(({ name }) => name).join(", ")}; a * at the end stands for any further characters`,
      );
  }

  #view(agent: Name): AgentView {
    const { agents, state, halted } = this.#parts;
    const own = configOf(this.#config, agent);
    const choice = agents.inForce.of(agent)?.choice ?? null;
    return {
      agent,
      model: choice === null ? "none" : `${choice.provider}/${choice.model}`,
      chosen: own.model !== undefined,
      note: choice?.note ?? null,
      places: placesOf(this.#config, agent, (one) => state.conversation(one)?.channel ?? null),
      people: own.people?.map((principal) => ({ principal, name: state.person(principal)?.name ?? null })) ?? null,
      halted: halted(agent),
    };
  }

  #details(agent: Name): AgentDetails {
    const { agents, state, grants, folders, memory, workspaces } = this.#parts;
    const own = configOf(this.#config, agent);
    const settings = agents.inForce.of(agent);
    const { rounds, turnMinutes } = { ...AGENT_DEFAULTS, ...own };
    return {
      ...this.#view(agent),
      instructions: own.instructions ?? null,
      tools: settings?.tools.map(({ name }) => name) ?? [],
      unknownTools: unknownTools(agents.inForce.tools, own.tools ?? []),
      allTools: own.tools === undefined,
      skills: [...(own.skills ?? this.#parts.skills())],
      allSkills: own.skills === undefined,
      budgetUsdPerDay: own.budgetUsdPerDay ?? null,
      rounds,
      turnMinutes,
      workspaces: workspaces.directories(agent).map(({ path }) => path),
      folders: folders
        .ofAgent(agent)
        .map(({ name, path, write }) => ({ name, path, access: write ? ("write" as const) : ("read" as const) })),
      grants: grants.list().filter((grant) => grant.agent === agent).length,
      schedules: state.schedules().filter((record) => record.agent === agent).length,
      memories: memory.ofAgent(agent).entries.length,
      sessions: state.openSessionsOf(agent).length,
      digest: settings?.digest ?? "",
    };
  }
}
