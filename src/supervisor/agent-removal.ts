import { createHash } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import type { AuditLog } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import type { AgentLeaving } from "../ipc/agent-calls.ts";
import type { Name } from "../ipc/ids.ts";
import type { Answering } from "./agent-places.ts";
import type { Folders } from "./folders.ts";
import type { InstructionFiles } from "./instruction-files.ts";
import type { Memory } from "./memory.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { ScheduleDesk } from "./schedule-desk.ts";
import type { State } from "./state.ts";
import type { Workspaces } from "./workspaces.ts";

/** Files that are counted in one workspace; more are not looked for. */
const MAX_COUNTED = 100_000;

export interface RemovalParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly grants: Grants;
  readonly schedules: ScheduleDesk;
  readonly folders: Folders;
  readonly memory: Memory;
  readonly instructions: InstructionFiles;
  readonly workspaces: Workspaces;
  readonly places: (agent: string) => Answering[];
  /** Turns that run for it. */
  readonly running: (agent: string) => number;
  /** Ends a session for good. */
  readonly endSession: (session: string, who: By) => Promise<void>;
  /** Writes the configuration without it. */
  readonly unconfigure: (agent: string) => Promise<void>;
}

/** Takes an agent away with all that is its own: folders that were added for it, grants, schedules, what it remembers. The files in its workspaces
 *  are its people's, and stay. */
export class AgentRemoval {
  readonly #parts: RemovalParts;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /** What would go with it, and what would stay. */
  leaving(agent: Name): AgentLeaving {
    const { state, grants, schedules, folders, memory, instructions, workspaces, places, running } = this.#parts;
    const kept = memory.ofAgent(agent);
    const held = kept.held[0] ?? null;
    const shown = {
      agent,
      folders: folders.ofAgent(agent).map(({ name, path, write }) => {
        const access: "read" | "write" = write ? "write" : "read";
        return { name, path, access };
      }),
      grants: grants.list().filter((grant) => grant.agent === agent).length,
      schedules: state
        .schedules()
        .filter((record) => record.agent === agent)
        .map((record) => ({ schedule: record.schedule, text: schedules.view(record).text })),
      memories: kept.entries.length,
      instructions: instructions.ofAgent(agent),
      sessions: state.openSessionsOf(agent).length,
      running: running(agent),
      places: places(agent),
      workspaces: workspaces.directories(agent).map(({ path }) => ({ path, files: filesIn(path) })),
      refused: held,
    };
    // What runs and what lies in workspaces changes by itself, and takes nothing more away.
    const { running: _, workspaces: stays, ...counted } = shown;
    const digest = createHash("sha256")
      .update(JSON.stringify([counted, stays.map(({ path }) => path)]))
      .digest("hex");
    return { ...shown, digest };
  }

  /** @param digest of what was said to go. @throws {OperatorError} where that is not what would go now, or something of it may not. */
  async remove(agent: Name, digest: string, who: By): Promise<AgentLeaving> {
    const { log, state, grants, schedules, folders, memory, instructions, endSession, unconfigure } = this.#parts;
    const leaving = this.leaving(agent);
    if (leaving.refused !== null)
      throw new OperatorError("refused", leaving.refused, "wirken audit hold list shows why");
    if (leaving.digest !== digest)
      throw new OperatorError(
        "refused",
        `what goes with agent ${agent} is something else by now; nothing was removed`,
        `look again: wirken agents remove ${agent}`,
      );
    const { seq } = await log.append(
      {
        kind: "agent.removed",
        agent,
        folders: leaving.folders.length,
        grants: leaving.grants,
        schedules: leaving.schedules.length,
        memories: leaving.memories,
        instructions: leaving.instructions.length,
        sessions: leaving.sessions,
        ...who,
      },
      { cause: null },
    );
    // First what gives it anything to do, then what it may and has.
    await unconfigure(agent);
    for (const { session } of state.openSessionsOf(agent)) {
      await log.append({ kind: "session.closed", session, reason: "removed" }, { cause: seq, seal: session });
      await endSession(session, who);
    }
    for (const record of state.schedules().filter((one) => one.agent === agent))
      await schedules.remove(record, who, seq);
    for (const { grant } of grants.list().filter((one) => one.agent === agent)) await grants.revoke(grant, who, seq);
    await folders.removeOf(agent, who, seq);
    await instructions.withdraw(agent, who, seq);
    for (const entry of memory.ofAgent(agent).entries) await memory.remove(entry, who);
    return leaving;
  }
}

/** How many files lie in a directory; links are not followed. */
function filesIn(path: string): number {
  let files = 0;
  const left = existsSync(path) ? [path] : [];
  for (let next = left.pop(); next !== undefined && files < MAX_COUNTED; next = left.pop()) {
    try {
      for (const entry of readdirSync(next, { withFileTypes: true }))
        if (entry.isDirectory()) left.push(`${next}/${entry.name}`);
        else files += 1;
    } catch {
      // What cannot be read is not counted.
    }
  }
  return files;
}
