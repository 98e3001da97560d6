import type Database from "better-sqlite3";
import type { IntentKind } from "./action.ts";
import { readHead } from "./entry.ts";
import { isIntent, isKind, isOutcome } from "./kinds.ts";

const PAGE = 2_000;

/** Intents that have no outcome, by row.
 *
 *  Read backwards from the end. The checkpoint of a start is written when every intent of earlier processes has ended, so what lies before that start's
 *  first row (`daemon.starting`) need not be read; without such a row it is read to the first. */
export function openIntents(database: Database.Database, size: number): Map<number, IntentKind> {
  const ended = new Set<number>();
  const open = new Map<number, IntentKind>();
  const page = database
    .prepare<[number, number]>("SELECT substr(body, 1, 160) FROM entry WHERE seq < ? AND seq >= ? ORDER BY seq DESC")
    .pluck();
  let settled = false;
  for (let below = size; below > 0; below -= PAGE) {
    const beginnings: unknown[] = page.all(below, below - PAGE);
    for (const beginning of beginnings) {
      const head = typeof beginning === "string" ? readHead(beginning) : null;
      if (head === null) continue;
      if (isOutcome(head.kind) && head.cause !== null) ended.add(head.cause);
      else if (isKind(head.kind) && isIntent(head.kind) && !ended.delete(head.seq)) open.set(head.seq, head.kind);
      else if (head.kind === "log.checkpointed") settled ||= String(beginning).includes('"reason":"start"');
      else if (settled && head.kind === "daemon.starting") return open;
    }
  }
  return open;
}
