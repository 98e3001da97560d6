import type { AuditLog } from "../../audit/log.ts";
import type { Sampling } from "../broker/mcp-questions.ts";
import { mcpDescriptions } from "../broker/tools/mcp.ts";
import type { Config } from "../config/schema.ts";
import type { WayPort } from "../effect/way-port.ts";
import type { ToolDescription } from "../ipc/completion.ts";
import { packRequest } from "../ipc/items.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { Conversation } from "./conversation.ts";
import { withheldNow } from "./credential-parts.ts";
import { type Credentials, secretOf } from "./credentials.ts";
import { McpAccepted } from "./mcp-accepted.ts";
import { McpRunning } from "./mcp-running.ts";
import { McpUse } from "./mcp-use.ts";
import type { ModelChoice } from "./model-choice.ts";
import type { Models } from "./models.ts";
import type { By } from "./people.ts";
import type { Processes } from "./processes.ts";
import type { State } from "./state.ts";
import type { VaultKeeper } from "./vault-keeper.ts";

/** Of one answer that a server has a model give. */
const SAMPLING_TOKENS = 8_192;
const SAMPLING_MS = 5 * 60_000;

interface Given {
  readonly log: AuditLog;
  readonly state: State;
  readonly keeper: VaultKeeper;
  readonly processes: Processes;
  readonly sandbox: Sandbox;
  readonly ways: WayPort;
  readonly models: Pick<Models, "forget">;
  readonly home: { readonly root: string };
  /** Where the package of a server lies. @throws {AlteredError} if it is not what was installed. */
  readonly tree: (server: string, digest: string) => Promise<string>;
  readonly config: () => Config;
  /** Whom an agent's completions are asked of. */
  readonly choice: (agent: string) => ModelChoice;
  readonly credentials: () => Pick<Credentials, "save">;
  readonly owner: () => By;
  readonly line: (role: string, line: string) => void;
  readonly cause: number;
  /** Agents have other tools now. */
  readonly changed: () => Promise<void>;
}

/** Everything about running MCP servers, put together. */
export function mcpParts(given: Given): {
  /** As commands ask for them. */
  readonly servers: McpRunning;
  /** As agents use them. */
  readonly use: McpUse;
  readonly sampling: Sampling;
  /** What is in force of them for an agent. */
  readonly inForce: (agent: string) => { readonly tools: ToolDescription[]; readonly servers: object[] };
} {
  const { log, state, keeper, processes, sandbox, ways, home, config, line, cause, changed } = given;
  const servers = new McpRunning({
    log,
    processes,
    sandbox,
    ways,
    vault: () => keeper.vault,
    config,
    home: home.root,
    accepted: new McpAccepted({ log, placed: (what) => state.placed(what) }),
    tree: given.tree,
    withheld: (scope) => withheldNow(keeper.vault, scope)?.note ?? null,
    secretOf: (scope) => (withheldNow(keeper.vault, scope) === null ? secretOf(keeper.vault, scope) : null),
    saveTokens: async (server, bytes) => {
      const enrolled = { scope: `mcp/${server}`, expires: null, rotationDue: null, hosts: [] };
      await given.credentials().save(enrolled, [{ name: "tokens", bytes }], null, given.owner());
    },
    line,
    changed,
    cause,
  });
  const use = new McpUse(servers, config);
  return {
    servers,
    use,
    sampling: {
      model: (agent) => {
        const { provider, model } = given.choice(agent);
        return { provider, model, maxOutputTokens: SAMPLING_TOKENS, timeoutMs: SAMPLING_MS };
      },
      request: (of) => {
        const packed = packRequest(of, 0);
        const conversation = new Conversation(() => Promise.resolve(packed));
        const over = async (): Promise<void> => await given.models.forget(conversation.number);
        return { request: conversation.ask(1, 0, packed), over };
      },
    },
    inForce: (agent) => ({
      tools: mcpDescriptions(use, agent),
      servers: use.servers(agent).map((server) => ({
        server,
        tools: servers.usable(server).map(({ name, digest }) => ({ name, digest })),
      })),
    }),
  };
}
