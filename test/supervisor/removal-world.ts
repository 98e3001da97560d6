import type { FactOf } from "../../audit/log.ts";
import { Grants } from "../../src/broker/grants.ts";
import { mint } from "../../src/ipc/ids.ts";
import { type Holdings, PersonRemoval } from "../../src/supervisor/person-removal.ts";
import { enrolledBy } from "../../src/supervisor/people-desk.ts";
import type { KeepingWorld } from "./keeping-world.ts";

/** Of each kind so many things end with a person: more than a few pages of a write-ahead log. */
export const HELD = 20;

/** What somebody has in hand, as far as rows tell of it: real grants, and turns, requests, schedules and logins that are only rows. */
export function removalOf(world: KeepingWorld, change: Partial<Holdings> = {}): PersonRemoval {
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const grants = new Grants(world.log, clock, world.state.grantsHeld());
  const enrolled = async (principal: string) => await enrolledBy(world.log, principal, ["channel/telegram"]);
  const holdings: Holdings = {
    turns: (_, who) =>
      some(() => ({
        action: { kind: "turn.stopped", turn: mint("turn"), session: mint("session"), ...who },
        given: {},
      })),
    approvals: () => some(withdrawn),
    grants: (principal, who) => grants.takeOf(principal, who),
    schedules: (_, who) =>
      some(() => ({
        action: { kind: "schedule.paused", schedule: mint("schedule"), reason: "removed", ...who },
        given: {},
      })),
    logins: () => some(loggedOut),
    ...change,
  };
  return new PersonRemoval({ log: world.log, people: world.people, enrolled, holdings });
}

function some(make: () => FactOf): FactOf[] {
  return Array.from({ length: HELD }, () => make());
}

function withdrawn(): FactOf {
  const decided = { decision: "withdrawn", scope: "once", by: null, via: null } as const;
  return { action: { kind: "approval.decided", approval: mint("approval"), ...decided }, given: {} };
}

function loggedOut(): FactOf {
  return { action: { kind: "web.session.ended", web: mint("web"), reason: "ended" }, given: {} };
}
