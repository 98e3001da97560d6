import type { Config } from "../config/schema.ts";
import type { Ours } from "../sandbox/workspace.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { FileLabels } from "../broker/file-labels.ts";
import type { Grants } from "../broker/grants.ts";
import type { Home } from "../config/home.ts";
import type { Agents } from "./agents.ts";
import { Folders } from "./folders.ts";
import { InstructionFiles } from "./instruction-files.ts";
import { ownPlaces } from "../sandbox/refusal.ts";
import { knowsAgent } from "./in-force.ts";
import type { State } from "./state.ts";
import type { VaultKeeper } from "./vault-keeper.ts";
import { Workspaces } from "./workspaces.ts";

interface PlaceParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly keeper: VaultKeeper;
  readonly grants: Grants;
  readonly files: FileLabels;
  readonly home: Home;
  readonly ours: Ours;
  readonly config: () => Config;
  readonly agents: () => Agents;
}

/** Where agents work: workspaces, the folders that the owner added, and the instruction files that lie there. */
export function placeParts(parts: PlaceParts): {
  readonly workspaces: Workspaces;
  readonly folders: Folders;
  readonly instructions: InstructionFiles;
} {
  const { log, state, keeper, grants, home } = parts;
  const nameOf = (principal: string): string | null => state.person(principal)?.name ?? null;
  const contentKey = async (scope: string): Promise<void> => await keeper.contentKey(scope);
  const workspaces = new Workspaces(home.workspaces, { of: (agent, person) => folders.of(agent, person) });
  const folders: Folders = new Folders({
    log,
    added: () => state.placed("folder"),
    places: ownPlaces(home.root),
    knowsAgent: (agent) => knowsAgent(parts.config(), agent),
    nameOf,
    contentKey,
    taken: (agent, principal, name) => workspaces.taken(agent, principal, name),
    changed: async (name, agent, who) => {
      // A folder of the same name may be another one tomorrow.
      const keys = new Set([`folder.read:${name}`, `folder.write:${name}`]);
      const old = grants.list().filter((grant) => grant.agent === agent && keys.has(grant.key));
      for (const { grant } of old) await grants.revoke(grant, who, null);
      await parts.agents().configure(null);
    },
  });
  const instructions = new InstructionFiles({
    log,
    accepted: () => state.placed("instructions"),
    workspaces,
    folders,
    files: parts.files,
    ours: parts.ours,
    agents: () => parts.agents().names,
    nameOf,
    contentKey,
    changed: async () => await parts.agents().configure(null),
  });
  return { workspaces, folders, instructions };
}
