import type { Home } from "../config/home.ts";
import { BUILD, VERSION } from "../ipc/build.ts";
import { Name } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { ApprovalDesk } from "./approval-desk.ts";
import type { Booted } from "./boot.ts";
import type { Composition } from "./composition.ts";
import type { ModelChoice } from "./model-choice.ts";
import type { Processes } from "./processes.ts";

export interface StatusParts {
  readonly home: Home;
  readonly booted: Booted;
  readonly since: string;
  readonly composition: Composition;
  readonly processes: Processes;
  readonly desk: ApprovalDesk;
}

/** What is known of a status without asking anybody. */
export type Greeting = Omit<AnswerTo<"status">, "vault"> & { readonly vault: { readonly sentence: string } };

/** How the daemon is, with a sentence for everything that wants doing. @param vault how the vault is: finding that out may take a process. */
export function statusOf<V>(parts: StatusParts, vault: V): Omit<AnswerTo<"status">, "vault"> & { readonly vault: V } {
  const { booted, composition } = parts;
  const { log } = booted;
  const agent = Name.parse(composition.config.config.web.agent);
  const choice = composition.inForce.of(agent)?.choice ?? null;
  const sandbox = composition.sandbox.state;
  const stopped = composition.findings.stopped ?? log.stopped?.message ?? null;
  const notes: string[] = [];
  const storage = composition.storage.now;
  if (storage.sentence !== null) notes.push(storage.sentence);
  if (composition.config.problem !== null)
    notes.push(`${composition.config.problem}; the settings of before are still in force`);
  notes.push(...composition.anchors.notes());
  notes.push(...composition.outward.notes());
  notes.push(...composition.sandbox.notes());
  notes.push(...composition.incidents.notes());
  notes.push(...composition.haltNotes());
  notes.push(...composition.folders.notes());
  notes.push(...composition.instructions.notes());
  if (composition.skillsNote !== null) notes.push(composition.skillsNote);
  notes.push(...composition.mcpDesk.notes());
  notes.push(...composition.budgets.notes());
  notes.push(...composition.vaultNotes());
  return {
    version: VERSION,
    build: BUILD,
    pid: process.pid,
    since: parts.since,
    home: parts.home.root,
    web: composition.web?.origin ?? null,
    vault,
    model: {
      agent,
      ref: refOf(choice),
      note: choice?.note ?? insteadOf(composition.inForce.of(agent)?.config.fallback ?? []),
    },
    agents: composition.agents.names.map((name) => ({
      agent: Name.parse(name),
      ref: refOf(composition.inForce.of(name)?.choice ?? null),
    })),
    channels: composition.channels.list(),
    sandbox: {
      works: sandbox.state === "works" || sandbox.state === "weaker",
      note: sandbox.state === "works" ? null : `${sandbox.sentence}${sandbox.hint === "" ? "" : `: ${sandbox.hint}`}`,
    },
    search: composition.fetches.searchNote,
    log: { rows: log.size, checkpoint: log.lastCheckpoint?.size ?? 0, stopped },
    storage,
    proxy:
      composition.outward.network.proxy === null
        ? null
        : `${composition.outward.network.proxy.place} (${composition.outward.network.proxy.from})`,
    processes: parts.processes.list(),
    pendingApprovals: parts.desk.pending,
    notes,
  };
}

/** Where an agent's own model is not there. */
function insteadOf(refs: readonly string[]): string | null {
  return refs.length === 0 ? null : `falls back on ${refs.join(", then ")}`;
}

function refOf(choice: ModelChoice | null): string {
  return choice === null ? "none" : `${choice.provider}/${choice.model}`;
}
