import type { AuditLog } from "../../audit/log.ts";
import type { Broker } from "../broker/broker.ts";
import type { TurnContext } from "../broker/turn.ts";
import type { LabelBook } from "../broker/labels.ts";
import { toolDescriptions } from "../broker/tools/catalogue.ts";
import type { Config } from "../config/schema.ts";
import type { UsableSkill } from "../effect/skill-port.ts";
import type { Folders } from "./folders.ts";
import type { InstructionFiles } from "./instruction-files.ts";
import type { Workspaces } from "./workspaces.ts";
import { AgentPool } from "./agent-pool.ts";
import type { Conversation } from "./conversation.ts";
import { placesOf } from "./agent-places.ts";
import { configOf, InForce, knowsAgent } from "./in-force.ts";
import { splitModelRef } from "../ipc/provider.ts";
import { chooseModel, isLocalProvider, OFFLINE, pickModel, writtenModel } from "./model-choice.ts";
import type { MessageFiles } from "./message-files.ts";
import type { Models } from "./models.ts";
import { OperatorError } from "./operator-error.ts";
import type { Processes } from "./processes.ts";
import type { AgentInForce, RunParts, Unwelcome } from "./run-parts.ts";
import type { Person, State } from "./state.ts";
import { Compactor } from "./compactor.ts";
import { ContextWindows } from "./context-windows.ts";
import { SubAgents } from "./sub-agents.ts";
import { tellOrigins, toldBefore } from "./said-rows.ts";

export interface AgentsParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly processes: Processes;
  readonly models: Models;
  readonly config: () => Config;
  /** Writes into the configuration file. */
  readonly set: (path: readonly string[], value: string) => Promise<void>;
  /** Providers with a credential, the oldest first. */
  readonly enrolled: () => readonly string[];
  readonly workspaces: Workspaces;
  readonly files: MessageFiles;
  readonly folders: Pick<Folders, "inForce">;
  readonly instructions: Pick<InstructionFiles, "inForce" | "ofTurn">;
  /** What an agent is told of. */
  readonly skills: (agent: string) => readonly UsableSkill[];
  /** Tools of MCP servers that an agent has, and what these are. */
  readonly mcp: (agent: string) => Parameters<InForce["configure"]>[5];
  readonly halted: (agent: string, session: string) => boolean;
  readonly labels: LabelBook;
  /** The row of this start. */
  readonly starting: number;
}

/** The agents there are: what is in force for each, the processes that run their turns, and where they work. */
export class Agents {
  readonly inForce: InForce;
  readonly #parts: AgentsParts;
  readonly #pool: AgentPool;
  readonly #below: SubAgents;
  readonly #over: (conversation: number) => Promise<void>;
  /** How much models take. */
  readonly windows: ContextWindows;
  #ollama: string | null = null;
  #known: readonly string[] = [];

  constructor(parts: AgentsParts) {
    this.#parts = parts;
    this.inForce = new InForce(parts.log, toolDescriptions());
    const over = async (conversation: number): Promise<void> => await parts.models.forget(conversation);
    this.#over = over;
    this.windows = new ContextWindows(({ provider, model }) => parts.models.facts.windowOf(`${provider}/${model}`));
    this.#pool = new AgentPool(
      parts.processes,
      async (session, turn, conversation) => this.#start(session, turn, conversation),
      over,
      () => performance.now(),
    );
    this.#below = new SubAgents({
      processes: parts.processes,
      tools: (agent) => this.#settings(agent).tools,
      instructed: async (turn, broker) => (await this.#instructed(turn, broker)).text,
      over,
    });
  }

  /** The names of all of them. */
  get names(): string[] {
    return [...new Set(["default", ...Object.keys(this.#parts.config().agents)])];
  }

  /** Puts every agent's settings in force. */
  async configure(cause: number | null): Promise<void> {
    for (const agent of this.names) await this.#configure(agent, cause);
    for (const agent of this.#known) if (!this.names.includes(agent)) this.inForce.drop(agent);
    this.#known = this.names;
  }

  async #configure(agent: string, cause: number | null): Promise<void> {
    const { folders, instructions, skills, enrolled, mcp } = this.#parts;
    const config = this.#parts.config();
    const choice = chooseModel(writtenModel(config, agent), enrolled(), this.#ollama);
    const placed = {
      folders: folders.inForce(agent),
      instructionFiles: instructions.inForce(agent),
      places: placesOf(config, agent, (one) => this.#parts.state.conversation(one)?.channel ?? null),
    };
    await this.inForce.configure(agent, config, choice, placed, skills(agent), mcp(agent), cause);
  }

  /** Looks for an Ollama on its default port, where nothing better is set up. */
  async findOllama(): Promise<void> {
    const current = this.inForce.of("default")?.choice;
    if (current !== undefined && current.provider !== OFFLINE.provider) return;
    this.#ollama = await this.#parts.models.findOllama(this.#parts.starting);
    if (this.#ollama !== null) await this.configure(this.#parts.starting);
  }

  /** A provider has a credential now: an agent without a model of its own gets one. @returns what became of it, a sentence each. */
  async providerAdded(provider: string): Promise<string[]> {
    const { models, set } = this.#parts;
    await models.end(provider);
    const chosen = this.#parts.config().agents["default"]?.model;
    if (chosen !== undefined) {
      await this.configure(null);
      return [`agent default goes on with ${chosen}`];
    }
    const model = pickModel(provider, await models.offered(provider, null));
    if (model === null) return [`say which model to use in config.json: agents.default.model, such as ${provider}/…`];
    await set(["agents", "default", "model"], `${provider}/${model}`);
    return [`agent default now uses ${provider}/${model}`];
  }

  /** Does the model of any of them need a lane? */
  get reachOut(): boolean {
    return this.names.some((agent) => {
      const provider = this.inForce.of(agent)?.choice.provider;
      return provider !== undefined && this.#parts.models.reachOf(provider).length > 0;
    });
  }

  /** Why somebody may not talk to an agent; null: they may. The owners always may. */
  refusal(agent: string, { principal, role }: Pick<Person, "principal" | "role">): Unwelcome | null {
    const config = this.#parts.config();
    if (!knowsAgent(config, agent))
      return { sentence: `There is no agent ${agent} any more: nothing is done about what you wrote.`, gone: true };
    const { people } = configOf(config, agent);
    if (people === undefined || role === "owner" || people.some((one) => one === principal)) return null;
    const sentence = `You may not talk to agent ${agent}, and nothing is done about what you wrote. Whoever owns this machine can let you.`;
    return { sentence, gone: false };
  }

  /** @param tell whoever watches the conversation live. */
  runParts(agent: string, broker: Broker, tell: RunParts["tell"]): RunParts {
    const { log, state, halted, workspaces, labels } = this.#parts;
    return {
      log,
      state,
      broker,
      pool: this.#pool,
      place: (principal, conversation) =>
        // Of a conversation that is not known nothing is assumed: it gets what everybody may see.
        workspaces.placeOf(agent, principal, state.conversation(conversation)?.talk ?? "group"),
      inForce: () => this.#agentInForce(agent),
      // A file that is told may be gone since the last turn.
      renew: async () => {
        if (this.names.includes(agent)) await this.#configure(agent, null);
      },
      refusal: (person) => this.refusal(agent, person),
      instructed: async (turn) => await this.#instructed(turn, broker),
      spawner: (parent, force) => this.#below.spawner(parent, force, broker),
      halted: (session) => halted(agent, session),
      labels: (session) => labels.of(session),
      tell,
      files: this.#parts.files,
      windows: this.windows,
      compactor: new Compactor({ log, state, broker, windows: this.windows, over: this.#over }),
    };
  }

  /** Which skills, or tools of MCP servers, there are is another now: what is in force is put on the record, and whoever is idle begins anew with its next turn. */
  async skillsChanged(): Promise<void> {
    await this.configure(null);
    await this.#pool.renew();
  }

  /** Ends the process that remembers a session. */
  async forget(session: string): Promise<void> {
    await this.#pool.forget(session);
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  /** What its process is told, in this turn: what that brings is labelled before anybody is told. */
  async #instructed(turn: TurnContext, broker: Broker): Promise<{ text: string; notices: readonly string[] }> {
    const { text, labels, fresh, notices } = await this.#parts.instructions.ofTurn(turn);
    await turn.labels.raise(labels, turn.cause);
    if (fresh) await broker.instructed(turn, text, turn.cause);
    const own = this.#settings(turn.agent).instructions;
    return { text: text === "" ? own : `${own}\n\n${text}`, notices };
  }

  #start(
    session: string,
    { seq, instructions }: { readonly seq: number; readonly instructions: string },
    conversation: Pick<Conversation, "from" | "shows">,
  ): Uint8Array {
    const { log, state } = this.#parts;
    const { tools } = this.#settings(state.session(session)?.agent ?? "default");
    const told = toldBefore(log, state, session, seq);
    tellOrigins(log, told, conversation);
    const transcript = told.map(({ message }) => message);
    return Buffer.from(JSON.stringify({ instructions, tools, transcript }));
  }

  #agentInForce(agent: string): AgentInForce {
    const { choice, config, digest, tools, instructions } = this.#settings(agent);
    const { provider, model } = choice;
    const local = isLocalProvider(this.#parts.config(), provider);
    return {
      local,
      outputTokens: this.windows.outputOf({ provider, model, local }),
      setupBytes: Buffer.byteLength(JSON.stringify({ instructions, tools })),
      agent,
      provider,
      model,
      fallback: (config.fallback ?? []).map((ref) => splitModelRef(ref)),
      rounds: config.rounds,
      turnMs: config.turnMinutes * 60_000,
      policy: this.inForce.policy,
      settings: digest,
      tools: new Set(tools.map(({ name }) => name)),
    };
  }

  #settings(agent: string): NonNullable<ReturnType<InForce["of"]>> {
    const settings = this.inForce.of(agent);
    if (settings === null) throw new OperatorError("not-found", `there is no agent ${agent}`);
    return settings;
  }
}
