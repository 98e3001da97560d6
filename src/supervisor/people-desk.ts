import type { AuditLog } from "../../audit/log.ts";
import type { Grants } from "../broker/grants.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { By, People } from "./people.ts";
import type { PersonChanges } from "./person-changes.ts";
import type { PersonExport } from "./person-export.ts";
import type { PersonTransfer } from "./person-transfer.ts";
import type { PersonRemoval } from "./person-removal.ts";

type PeopleCall = Extract<OperatorCall, { call: `people.${string}` | "pair.revoke" }>;
type Asked = Exclude<PeopleCall, { call: "people.report" }>;
type Answers = { [C in Asked["call"]]: AnswerTo<C> }[Asked["call"]];

export interface PeopleDeskParts {
  readonly people: People;
  readonly changes: PersonChanges;
  readonly removal: PersonRemoval;
  readonly transfer: PersonTransfer;
  readonly exporting: PersonExport;
  readonly grants: Grants;
  readonly enrolled: (principal: string) => Promise<AnswerTo<"people.remove">["credentials"]>;
  readonly schedules: (principal: string) => number;
  /** Turns that run for somebody now. */
  readonly running: (principal: string) => number;
}

/** What the owner asks about people who were let in. */
export class PeopleDesk {
  readonly #parts: PeopleDeskParts;

  constructor(parts: PeopleDeskParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError} with a sentence for the caller. */
  async answer(call: Asked, who: By): Promise<Answers> {
    const { changes, removal, transfer, exporting } = this.#parts;
    switch (call.call) {
      case "people.show":
        return await this.#show(call.principal);
      case "people.role":
        return await changes.role(call.principal, call.role, who);
      case "people.link":
        return await changes.link(call.principal, call.to, who);
      case "people.unlink":
        return await changes.unlink(call.principal, call.channel, call.id, who);
      case "people.same-channel":
        return await changes.sameChannel(call.principal, call.allowed, who);
      case "pair.revoke":
      case "people.remove":
        return await removal.remove(call.principal, who);
      case "people.transfer":
        return await transfer.transfer(call.from, call.to, who);
      case "people.export":
        return await exporting.write(call.principal, call.out, who);
    }
  }

  async #show(principal: string): Promise<AnswerTo<"people.show">> {
    const { changes, grants, enrolled, schedules, running, people } = this.#parts;
    const person = changes.view(principal);
    const { got, gave } = grants.of(principal);
    return {
      ...person,
      turns: running(principal),
      grants: got.length,
      given: gave.length,
      schedules: schedules(principal),
      credentials: await enrolled(principal),
      local: people.owner().principal === principal,
    };
  }
}

/** How many rows of one kind are looked through for who enrolled what: credentials are few. */
const MAX_ENROLLED = 1_000;

/** Which credentials somebody enrolled: those that are there still, by the newest row of each.
 *  @param there the scopes in the vault. */
export async function enrolledBy(
  log: Pick<AuditLog, "search">,
  principal: string,
  there: readonly string[],
): Promise<AnswerTo<"people.remove">["credentials"]> {
  const added = await log.search({ kind: "credential.added", limit: MAX_ENROLLED });
  const newest = new Map<string, string>();
  for (const { action } of added)
    if (action.kind === "credential.added" && !newest.has(action.scope)) newest.set(action.scope, action.by);
  return [...newest]
    .filter(([scope, by]) => by === principal && there.includes(scope))
    .map(([scope]) => ({ scope, rotate: `wirken vault rotate ${scope.replace(/^(channel|provider)\//, "")}` }));
}
