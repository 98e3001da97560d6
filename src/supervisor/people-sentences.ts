import type { Action, ActionOf, Kind } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { count, line, quoted, where } from "./row-words.ts";

/** Kinds that are about who somebody is, and about what they have done at certain times. */
export type PeopleKind = Extract<
  Kind,
  "person.changed" | "person.same-channel" | "identity.unlinked" | `schedule.${string}`
>;
type PeopleAction = { [K in PeopleKind]: ActionOf<K> }[PeopleKind];

export function isAboutPeople(action: Action): action is PeopleAction {
  return (
    action.kind === "person.changed" ||
    action.kind === "person.same-channel" ||
    action.kind === "identity.unlinked" ||
    action.kind.startsWith("schedule.")
  );
}

/** One sentence about a row, without its number. @param at `on 2026-11-23 at 22:31`. */
export function peopleSentence(
  action: PeopleAction,
  row: CommittedRow,
  at: string,
  told: { who(principal: string): string; moment(at: string): string },
): string {
  const by = "by" in action && action.by !== undefined ? told.who(action.by) : null;
  const on = "via" in action && action.via !== undefined ? ` ${where(action.via)}` : "";
  switch (action.kind) {
    case "person.same-channel":
      return `${told.who(action.by)} ${action.allowed === "yes" ? "allowed" : "no longer allows"} ${told.who(action.principal)} to decide on the channel that asked, ${where(action.via)} ${at}`;
    case "person.changed":
      return `${by} made ${line(action.principal)} ${action.role}${on} ${at}`;
    case "identity.unlinked":
      return `${by} had ${told.who(action.principal)} no longer known on ${action.channel}${on} ${at}`;
    case "schedule.added":
      return `${by} had agent ${action.agent} do something at certain times${on} ${at}, for ${told.who(action.principal)} on ${action.channel} (${quoted(row, "cron")}, ${quoted(row, "zone")}): ${quoted(row, "text")}`;
    case "schedule.paused":
      return by === null
        ? `it paused itself ${at}, ${PAUSED[action.reason]}`
        : `${by} paused it${on} ${at}, ${PAUSED[action.reason]}`;
    case "schedule.resumed":
      return `${by} had it go on${on} ${at}`;
    case "schedule.removed":
      return `${by} removed it${on} ${at}`;
    case "schedule.transferred":
      return `${by} made it ${told.who(action.principal)}'s${on} ${at}`;
    case "schedule.started":
      return `it was begun ${at} for ${told.who(action.principal)} on ${action.channel}, ${WHY[action.why]} ${told.moment(action.due)}: ${quoted(row, "text")}`;
    case "schedule.missed":
      return `it was not done at ${told.moment(action.due)}${action.times === 1 ? "" : `, nor ${count(action.times - 1, "time")} before that`}, because ${MISSED[action.reason]} (${at})`;
  }
}

const PAUSED: Readonly<Record<ActionOf<"schedule.paused">["reason"], string>> = {
  asked: "as was asked",
  failures: "because it failed too often in a row",
  removed: "because whose it is was no longer let in",
};

const WHY: Readonly<Record<ActionOf<"schedule.started">["why"], string>> = {
  due: "as was due",
  late: "late, as was due",
  asked: "because somebody asked for it",
};

const MISSED: Readonly<Record<ActionOf<"schedule.missed">["reason"], string>> = {
  late: "nothing ran then to begin it, and it was found too late",
  running: "the run before it still went on",
  halted: "the owner had halted it",
  nowhere: "there was nowhere to answer",
};
