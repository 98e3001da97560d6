import type { ActionOfType } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import type { ToolResult } from "./tool.ts";

/** For whom, and by which agent, something is planned. */
export interface Planner {
  readonly agent: string;
  readonly principal: string;
}

/** A schedule as its owner's agent is told of it. */
export interface PlannedLine {
  readonly schedule: string;
  readonly cron: string;
  readonly zone: string;
  readonly text: string;
  /** Why it does not begin, or null. */
  readonly paused: string | null;
  /** In the words of its zone. */
  readonly next: string | null;
}

/** What is done at certain times. Filled by the supervisor. */
export interface SchedulePort {
  /** The time zone of this machine, and its clock. */
  readonly zone: () => string;
  readonly now: () => number;
  /** Those of one person. */
  own(principal: string): readonly PlannedLine[];
  /** @returns its id, or in words why it was not taken. */
  add(
    action: ActionOfType<"schedule.add">,
    planner: Planner,
    cause: number,
  ): Promise<{ readonly schedule: string } | { readonly refused: string }>;
  /** @returns false if it is not there any more, or not theirs. */
  remove(action: ActionOfType<"schedule.remove">, planner: Planner, cause: number): Promise<boolean>;
}

type ScheduleAction = ActionOfType<"schedule.add" | "schedule.list" | "schedule.remove">;

/** Does one decided change of what is planned, and tells what became of it. */
export async function runSchedule(
  action: ScheduleAction,
  planner: Planner,
  cause: number,
  schedules: SchedulePort,
  signal: AbortSignal,
): Promise<ToolResult> {
  if (signal.aborted) return { outcome: "stopped", status: null, text: "stopped before it was done" };
  switch (action.type) {
    case "schedule.list": {
      const lines = schedules.own(planner.principal).map((line) => lineOf(line));
      return done(lines.length === 0 ? "nothing is scheduled for this person" : lines.join("\n"));
    }
    case "schedule.add": {
      const added = await schedules.add(action, planner, cause);
      if ("refused" in added) return { outcome: "failed", status: null, text: `failed: ${added.refused}` };
      return done(`scheduled as ${added.schedule}; it comes next on ${action.next[0] ?? "no day"} (${action.zone})`);
    }
    case "schedule.remove":
      return (await schedules.remove(action, planner, cause))
        ? done(`removed ${action.schedule}`)
        : { outcome: "failed", status: null, text: `failed: ${action.schedule} is not there any more` };
  }
}

function lineOf({ schedule, cron, zone, text, paused, next }: PlannedLine): string {
  return `${schedule}: ${cron} (${zone}), ${paused ?? `next ${next ?? "never"}`}: ${text}`;
}

function done(text: string): ToolResult {
  return { outcome: "done", status: null, text: boundText(text, MAX_RESULT) };
}
