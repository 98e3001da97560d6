import type { AnswerTo } from "../../ipc/operator.ts";
import { el } from "./element.ts";
import { visible, when } from "./format.ts";

type Schedule = AnswerTo<"schedule.list">["schedules"][number];

const PAUSED: Readonly<Record<NonNullable<Schedule["paused"]>, string>> = {
  asked: "paused",
  failures: "paused, because it failed too often",
  removed: "paused, because whose it is was removed",
};

/** What agents do at certain times, and when each comes next. It is planned and changed on the terminal. */
export function scheduleList(schedules: readonly Schedule[]): HTMLElement {
  if (schedules.length === 0) return el("p", { class: "hint" }, "Nothing is scheduled.");
  return el("ul", { class: "plain" }, ...schedules.map((one) => item(one)));
}

function item({ cron, zone, text, owner, principal, channel, paused, running, next: [first] }: Schedule): HTMLElement {
  const state = paused !== null ? PAUSED[paused] : running ? "runs now" : first === undefined ? "never" : when(first);
  return el(
    "li",
    null,
    el("strong", null, visible(text)),
    ` ${visible(state)} `,
    el("span", { class: "hint" }, visible(`${cron} (${zone}), for ${owner ?? principal}, answered on ${channel}`)),
  );
}
