import type { ActionOf } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import { ConversationId, PrincipalId, ScheduleId } from "../ipc/ids.ts";
import type { Fields, StateDatabase } from "./state-database.ts";

/** What is to be done at certain times. What it is, and when, is content: `seq` is the row that says it. `handled` is the time up to which nothing is due any more. */
export const SCHEDULES = `
CREATE TABLE schedule     (schedule TEXT PRIMARY KEY, agent TEXT NOT NULL, principal TEXT NOT NULL, conversation TEXT NOT NULL, channel TEXT NOT NULL,
                           seq INTEGER NOT NULL, paused TEXT, handled TEXT NOT NULL, failures INTEGER NOT NULL, last TEXT, ending TEXT) STRICT;
CREATE TABLE schedule_run (message TEXT PRIMARY KEY, schedule TEXT NOT NULL) STRICT;
`;

/** A schedule as rows amount to it now. */
export interface ScheduleRecord {
  readonly schedule: ScheduleId;
  readonly agent: string;
  readonly principal: PrincipalId;
  readonly conversation: ConversationId;
  readonly channel: string;
  /** The row that says what is to be done, and when. */
  readonly seq: number;
  /** Null: it goes on. */
  readonly paused: ActionOf<"schedule.paused">["reason"] | null;
  /** ISO time. */
  readonly handled: string;
  /** Runs that failed since one did not. */
  readonly failures: number;
  /** When it was begun last, and how that ended. */
  readonly last: string | null;
  readonly ending: string | null;
  readonly running: boolean;
}

/** How a turn ended that is no failure of what was to be done: somebody stopped it. */
const NO_FAILURE = "'stopped', 'halted'";

/** What one row changes. */
export function projectSchedules(database: StateDatabase, { seq, at, action }: CommittedRow): void {
  switch (action.kind) {
    case "schedule.added":
      database.run(
        "INSERT INTO schedule VALUES (?, ?, ?, ?, ?, ?, NULL, ?, 0, NULL, NULL)",
        action.schedule,
        action.agent,
        action.principal,
        action.conversation,
        action.channel,
        seq,
        at,
      );
      return;
    case "schedule.paused":
      database.run("UPDATE schedule SET paused = ? WHERE schedule = ?", action.reason, action.schedule);
      return;
    case "schedule.resumed":
      database.run(
        "UPDATE schedule SET paused = NULL, failures = 0, handled = ? WHERE schedule = ?",
        at,
        action.schedule,
      );
      return;
    case "schedule.removed":
      database.run("DELETE FROM schedule WHERE schedule = ?", action.schedule);
      return;
    case "schedule.transferred":
      database.run(
        "UPDATE schedule SET principal = ?, conversation = ?, channel = ?, seq = ?, paused = nullif(paused, 'removed'), handled = ? WHERE schedule = ?",
        action.principal,
        action.conversation,
        action.channel,
        seq,
        at,
        action.schedule,
      );
      return;
    case "schedule.started":
      database.run("INSERT INTO schedule_run VALUES (?, ?)", action.message, action.schedule);
      database.run("UPDATE schedule SET last = ?, ending = NULL WHERE schedule = ?", at, action.schedule);
      if (action.why !== "asked") handled(database, action.schedule, action.due);
      // It waits, is begun and is taken up again after a crash as what somebody wrote is.
      database.run(
        "INSERT INTO message VALUES (?, ?, ?, ?, 'received')",
        action.message,
        action.session,
        action.principal,
        seq,
      );
      database.run("UPDATE session SET last = ? WHERE session = ?", at, action.session);
      return;
    case "schedule.missed":
      handled(database, action.schedule, action.due);
      return;
    case "turn.ended":
      ended(database, action.turn, action.reason);
      return;
    case "content.erasing":
      // Nothing says any more what was to be done.
      if (action.principal !== null) database.run("DELETE FROM schedule WHERE principal = ?", action.principal);
      database.run("DELETE FROM schedule_run WHERE message IN (SELECT message FROM message WHERE state = 'ended')");
      return;
    case "person.revoked":
      database.run("DELETE FROM schedule_run WHERE message IN (SELECT message FROM message WHERE state = 'ended')");
      return;
    default:
      return;
  }
}

function handled(database: StateDatabase, schedule: string, due: string): void {
  database.run("UPDATE schedule SET handled = ? WHERE schedule = ?", due, schedule);
}

function ended(database: StateDatabase, turn: string, reason: string): void {
  const run = database.one(
    "SELECT r.message, r.schedule FROM turn t JOIN schedule_run r USING (message) WHERE t.turn = ?",
    turn,
  );
  if (run === null) return;
  database.run("DELETE FROM schedule_run WHERE message = ?", run["message"]);
  database.run(
    `UPDATE schedule SET ending = ?, failures = CASE WHEN ? = 'done' THEN 0 WHEN ? IN (${NO_FAILURE}) THEN failures ELSE failures + 1 END
     WHERE schedule = ?`,
    reason,
    reason,
    reason,
    run["schedule"],
  );
}

const COLUMNS = "*, EXISTS (SELECT 1 FROM schedule_run r WHERE r.schedule = schedule.schedule) AS running";

/** All of them, the oldest first. */
export function schedulesOf(database: StateDatabase): ScheduleRecord[] {
  return database.many(`SELECT ${COLUMNS} FROM schedule ORDER BY rowid`).map((row) => asSchedule(row));
}

export function scheduleOf(database: StateDatabase, schedule: string): ScheduleRecord | null {
  const row = database.one(`SELECT ${COLUMNS} FROM schedule WHERE schedule = ?`, schedule);
  return row === null ? null : asSchedule(row);
}

function asSchedule(row: Fields): ScheduleRecord {
  const paused = row["paused"];
  return {
    schedule: ScheduleId.parse(row["schedule"]),
    agent: String(row["agent"]),
    principal: PrincipalId.parse(row["principal"]),
    conversation: ConversationId.parse(row["conversation"]),
    channel: String(row["channel"]),
    seq: Number(row["seq"]),
    paused: paused === "asked" || paused === "failures" || paused === "removed" ? paused : null,
    handled: String(row["handled"]),
    failures: Number(row["failures"]),
    last: textOrNull(row["last"]),
    ending: textOrNull(row["ending"]),
    running: Number(row["running"]) === 1,
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
