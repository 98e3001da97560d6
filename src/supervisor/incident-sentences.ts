import type { Action, ActionOf, Kind } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { count, quoted, where } from "./row-words.ts";

/** Kinds that are about an incident. */
export type IncidentKind = Extract<Kind, `incident.${string}`>;
type IncidentAction = { [K in IncidentKind]: ActionOf<K> }[IncidentKind];

export function isAboutIncidents(action: Action): action is IncidentAction {
  return action.kind.startsWith("incident.");
}

/** One sentence about a row, without its number. @param at `on 2026-11-23 at 22:31`. */
export function incidentSentence(
  action: IncidentAction,
  row: CommittedRow,
  at: string,
  told: { who(principal: string): string },
): string {
  const by = `${told.who(action.by)} ${where(action.via)}`;
  switch (action.kind) {
    case "incident.opened":
      return `${by} opened an incident ${at}, with ${count(action.credentials, "credential")} to replace: ${quoted(row, "reason")}`;
    case "incident.waived":
      return `${by} let the credential ${action.scope} stay ${at}: ${quoted(row, "reason")}`;
    case "incident.closed":
      return `${by} closed the incident ${at}: ${count(action.rotated, "credential")} replaced, ${action.waived} left as they were`;
  }
}
