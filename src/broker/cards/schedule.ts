import type { ActionOfType } from "../../effect/action.ts";
import { block, line, lines } from "./lines.ts";

export function renderScheduleAdd(action: ActionOfType<"schedule.add">): string {
  const { cron, zone, words, next, text, conversation, channel, talk } = action;
  return lines(
    "do something AT CERTAIN TIMES, when nobody is there to ask",
    line("when", words),
    line("that is, in cron", cron),
    line("in the time zone", zone),
    ...next.map((moment) => line("next", moment)),
    line("answers on", channel),
    line("conversation", conversation),
    line("talk", talk === "group" ? "a group: whoever is in it reads this" : "direct"),
    "  reach: what this person may do without being asked then; what asks every time is refused",
    block("what it is to do", text),
  );
}

export function renderScheduleRemove(action: ActionOfType<"schedule.remove">): string {
  const { schedule, cron, zone, text, channel } = action;
  return lines(
    "never again do what was scheduled",
    line("schedule", schedule),
    line("when", cron),
    line("in the time zone", zone),
    line("asked on", channel),
    block("what it does", text),
  );
}
