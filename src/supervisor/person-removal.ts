import type { AuditLog, FactOf } from "../../audit/log.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By, People } from "./people.ts";

/** What somebody has in hand, and what takes it away at once. Each returns the rows that say so; none of them records. */
export interface Holdings {
  /** Turns that run for them. */
  readonly turns: (principal: string, who: By) => FactOf[];
  /** Requests of theirs that wait for an approval. */
  readonly approvals: (principal: string) => FactOf[];
  /** Approvals that are remembered for them, and those that they gave to others. */
  readonly grants: (principal: string, who: By) => FactOf[];
  /** What they had done at certain times. */
  readonly schedules: (principal: string, who: By) => FactOf[];
  /** Browsers that are logged in to the page. */
  readonly logins: () => FactOf[];
}

export interface PersonRemovalParts {
  readonly log: Pick<AuditLog, "together">;
  readonly people: People;
  readonly holdings: Holdings;
  /** The credentials that somebody enrolled and that are still there. */
  readonly enrolled: (principal: string) => Promise<AnswerTo<"people.remove">["credentials"]>;
}

/** Takes everything away from somebody in one step: all of it is on the log in one transaction, or none of it. */
export class PersonRemoval {
  readonly #parts: PersonRemovalParts;

  constructor(parts: PersonRemovalParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} if there is nobody of that id, if they are the last owner, or if it could not be recorded. */
  async remove(principal: string, who: By): Promise<AnswerTo<"people.remove">> {
    const { log, people, holdings, enrolled } = this.#parts;
    const person = people.get(principal);
    people.mustStayOwned(person, "removed");
    const credentials = await enrolled(person.principal);
    const before = people.owner().principal;
    // Taken away first and within one step: nothing of theirs begins or goes on while it is recorded.
    const turns = holdings.turns(person.principal, who);
    const approvals = holdings.approvals(person.principal);
    const grants = holdings.grants(person.principal, who);
    const schedules = holdings.schedules(person.principal, who);
    const logins = before === person.principal ? holdings.logins() : [];
    const ended = [...turns, ...approvals, ...grants, ...schedules, ...logins];
    try {
      const [row] = await log.together(
        {
          action: { kind: "person.revoked", principal: person.principal, ...who },
          given: { cause: null },
        },
        ended,
      );
      const after = people.owner();
      return {
        principal: person.principal,
        name: person.name,
        row: row?.seq ?? 0,
        turns: turns.length,
        approvals: approvals.length,
        grants: grants.length,
        schedules: schedules.length,
        logins: logins.length,
        credentials,
        local: after.principal === before ? null : after.name,
      };
    } catch (cause) {
      throw new OperatorError(
        "stopped",
        `${person.name} is still let in: that could not be recorded. What ran for them was ended, and no approval of theirs is used until the daemon ends`,
        "see wirken status, and remove them again when the log can be written",
        { cause },
      );
    }
  }
}
