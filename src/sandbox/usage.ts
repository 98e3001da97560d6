import { readdirSync, readFileSync } from "node:fs";

/** What a tree of processes uses now. */
export interface Usage {
  /** Processes and threads below `pid`, itself not counted. */
  readonly tasks: number;
  /** Bytes. Pages that several processes share are counted once if that matters (see `exactAbove`). */
  readonly memory: number;
}

/** Sums over everything that descends from `pid`. In a pid namespace an orphan becomes a child of that namespace's first process, so
 *  nothing that a sandbox holds can leave the tree.
 *  @param exactAbove bytes: only if the cheap sum, which counts shared pages once for each process, is above this, the exact one is made. */
export function usageBelow(pid: number, exactAbove: number): Usage {
  return usageOf(descendants(pid), exactAbove);
}

/** Sums over these processes. */
export function usageOf(all: readonly number[], exactAbove: number): Usage {
  let tasks = 0;
  let resident = 0;
  for (const one of all) {
    const status = read(`/proc/${one}/status`);
    tasks += field(status, "Threads");
    resident += field(status, "VmRSS") * 1024;
  }
  if (resident <= exactAbove) return { tasks, memory: resident };
  const exact = all.reduce((sum, one) => {
    const rollup = read(`/proc/${one}/smaps_rollup`);
    // A process that hides its pages is counted with all it shares.
    return sum + (rollup === "" ? field(read(`/proc/${one}/status`), "VmRSS") : field(rollup, "Pss")) * 1024;
  }, 0);
  return { tasks, memory: exact };
}

/** A bomb makes processes while they are counted: no more than these are followed, which is far over every limit. */
const MAX_FOLLOWED = 10_000;

function descendants(pid: number): number[] {
  const found: number[] = [];
  const pending = [pid];
  for (let next = pending.pop(); next !== undefined && found.length < MAX_FOLLOWED; next = pending.pop()) {
    for (const child of childrenOf(next)) {
      found.push(child);
      pending.push(child);
    }
  }
  return found;
}

/** Processes that a process has started and that have not ended. */
export function childrenOf(pid: number): number[] {
  let tasks: string[];
  try {
    tasks = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  return tasks.flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).trim().split(" ").filter(Boolean).map(Number),
  );
}

/** `Name:   123 kB`; 0 where it is missing (a process that has ended has no memory). */
function field(text: string, name: string): number {
  const match = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text);
  return match?.[1] === undefined ? 0 : Number(match[1]);
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
