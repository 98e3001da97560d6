import { timeIn } from "../broker/schedules/times.ts";
import type { ScheduleView } from "../ipc/schedule-calls.ts";
import type { AgentInForce } from "./run-parts.ts";

/** What is answered in every conversation at once, without an agent or a model. */
export type SlashCommand = "stop" | "new" | "help" | "status" | "schedules";

/** Telegram's links begin with one of these. */
const START = /^\/start(?: [0-9a-z]{8})?$/;
const COMMANDS: ReadonlySet<string> = new Set<SlashCommand>(["stop", "new", "help", "status", "schedules"]);

/** @param words a whole message. @returns null where it is one for the agent. */
export function slashCommand(words: string): SlashCommand | null {
  const text = words.trim().toLowerCase();
  if (START.test(text)) return "help";
  // In a group a platform puts the bot's name behind a command.
  const name = /^\/([a-z]+)(?:@\S+)?$/.exec(text)?.[1] ?? "";
  return isCommand(name) ? name : null;
}

function isCommand(name: string): name is SlashCommand {
  return COMMANDS.has(name);
}

export const HELP = [
  "Write what you need; I act with my tools and ask before anything that changes or reaches something.",
  "/stop ends what I am doing, /new begins a new conversation; so does what you write after eight hours of silence.",
  "/status says what goes on here, /schedules what I do at certain times.",
  "approve CODE and deny CODE (with a reason, if you like) decide on a card.",
].join("\n");

/** What `/status` tells of a conversation. */
interface TalkStatus {
  readonly force: AgentInForce;
  readonly running: boolean;
  readonly waiting: number;
  /** Requests of whoever asks that wait for an approval. */
  readonly approvals: number;
  readonly halted: boolean;
  readonly schedules: number;
}

/** What `/status` says. */
export function statusText({ force, running, waiting, approvals, halted, schedules }: TalkStatus): string {
  return [
    `agent ${force.agent}, ${force.provider}/${force.model}`,
    ...(halted ? ["halted by the owner: what you write is recorded, and nothing is done about it"] : []),
    running ? "working on something: /stop ends it" : "nothing runs here",
    ...(waiting === 0 ? [] : [`${counted(waiting, "message")} wait${waiting === 1 ? "s" : ""}`]),
    ...(approvals === 0
      ? []
      : [`${counted(approvals, "request")} of yours wait${approvals === 1 ? "s" : ""} for an approval`]),
    schedules === 0 ? "nothing is scheduled for you" : `${counted(schedules, "schedule")} of yours: /schedules`,
  ].join("\n");
}

/** What `/schedules` says. */
export function schedulesText(schedules: readonly ScheduleView[]): string {
  if (schedules.length === 0) return "Nothing is scheduled for you here.";
  return schedules.map((one) => scheduleText(one)).join("\n\n");
}

const PAUSED = {
  asked: "paused",
  failures: "paused, because it failed too often",
  removed: "paused, because whose it is was removed",
} as const;

function scheduleText({ schedule, cron, zone, text, paused, running, next: [first], last }: ScheduleView): string {
  const when = first === undefined ? "never" : `next ${timeIn(zone, Date.parse(first))}`;
  return [
    `${cron} (${zone}), ${paused === null ? when : PAUSED[paused]}${running ? ", runs now" : ""}`,
    text,
    last === null
      ? "not done yet"
      : `last ${timeIn(zone, Date.parse(last.at))}${last.ending === null ? "" : `: ${last.ending}`}`,
    schedule,
  ].join("\n");
}

function counted(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}
