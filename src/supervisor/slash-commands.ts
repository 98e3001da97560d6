import { timeIn } from "../broker/schedules/times.ts";
import type { ScheduleView } from "../ipc/schedule-calls.ts";
import type { AgentInForce } from "./run-parts.ts";

/** What is answered in every conversation at once, without an agent or a model. */
export type SlashCommand = "stop" | "new" | "help" | "status" | "model" | "compact" | "schedules";

/** Telegram's links begin with one of these. */
const START = /^\/start(?: [0-9a-z]{8})?$/;
/** What each of them does, in its own words. */
const COMMANDS: Readonly<Record<SlashCommand, string>> = {
  stop: "ends what I am doing, at once",
  new: "begins a new conversation: I know nothing of this one then (so does what you write after eight hours of silence)",
  compact:
    "has the model write a summary of what is oldest here, so that there is room again; what you wrote stays word for word as far as there is room",
  status: "says what goes on here, how much of the model's context is used, what it cost, and what waits",
  model: "shows which model answers here",
  schedules: "shows what I do at certain times",
  help: "shows this",
};

/** @param words a whole message. @returns null where it is one for the agent. */
export function slashCommand(words: string): SlashCommand | null {
  const text = words.trim().toLowerCase();
  if (START.test(text)) return "help";
  // In a group a platform puts the bot's name behind a command.
  const name = /^\/([a-z]+)(?:@\S+)?$/.exec(text)?.[1] ?? "";
  return isCommand(name) ? name : null;
}

function isCommand(name: string): name is SlashCommand {
  return Object.hasOwn(COMMANDS, name);
}

export const HELP = [
  "Write what you need; I act with my tools and ask before anything that changes or reaches something.",
  ...Object.entries(COMMANDS).map(([name, does]) => `/${name} ${does}`),
  "approve CODE and deny CODE (with a reason, if you like) decide on a card.",
].join("\n");

/** What `/status` tells of a conversation. */
export interface TalkStatus {
  readonly force: AgentInForce;
  readonly running: boolean;
  readonly waiting: number;
  /** Requests of whoever asks that wait for an approval. */
  readonly approvals: number;
  readonly halted: boolean;
  readonly schedules: number;
  /** Tokens, as estimated, of what the model takes. */
  readonly context: { readonly used: number; readonly window: number };
  /** Of this conversation; null: of a model without a price. */
  readonly cost: { readonly tokens: number; readonly microDollars: number | null };
  /** What is in it: bytes from outside, and somebody's. */
  readonly labels: { readonly untrusted: boolean; readonly private: boolean };
}

/** What `/status` says. */
export function statusText(status: TalkStatus): string {
  const { force, running, waiting, approvals, halted, schedules, context, cost } = status;
  return [
    `agent ${force.agent}, ${force.provider}/${force.model}`,
    ...(halted ? ["halted by the owner: what you write is recorded, and nothing is done about it"] : []),
    running ? "working on something: /stop ends it" : "nothing runs here",
    ...(waiting === 0 ? [] : [`${counted(waiting, "message")} wait${waiting === 1 ? "s" : ""}`]),
    ...(approvals === 0
      ? []
      : [`${counted(approvals, "request")} of yours wait${approvals === 1 ? "s" : ""} for an approval`]),
    `context: about ${context.used.toLocaleString("en-US")} of ${context.window.toLocaleString("en-US")} tokens (${Math.ceil((100 * context.used) / context.window)} %)`,
    costText(cost),
    labelText(status.labels),
    schedules === 0 ? "nothing is scheduled for you" : `${counted(schedules, "schedule")} of yours: /schedules`,
  ].join("\n");
}

function costText({ tokens, microDollars }: TalkStatus["cost"]): string {
  const used = `this conversation used ${tokens.toLocaleString("en-US")} tokens`;
  if (microDollars === null) return `${used}, some of a model without a price`;
  return `${used}, $${(microDollars / 1e6).toFixed(microDollars >= 10_000 || microDollars === 0 ? 2 : 4)}`;
}

/** Whose it is, is not said: others may read it. */
function labelText({ untrusted, private: somebodys }: TalkStatus["labels"]): string {
  const held = [
    ...(untrusted ? ["something from outside"] : []),
    ...(somebodys ? ["something that is somebody's own"] : []),
  ];
  if (held.length === 0) return "it holds nothing from outside, and nothing that is somebody's own";
  const both = held.length === 2 ? ": what would leave it is asked about" : "";
  return `it holds ${held.join(" and ")}${both}`;
}

/** What `/model` says. @param window, output in tokens. */
export function modelText({ agent, provider, model, local }: AgentInForce, window: number, output: number): string {
  return [
    `${provider}/${model}${local ? ", on this machine" : ""}, for agent ${agent}`,
    `it takes ${window.toLocaleString("en-US")} tokens, and answers with at most ${output.toLocaleString("en-US")}`,
    "it is not changed from here: whoever owns this machine does it, with wirken models use",
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
