import type { AuditLog, CommittedRow, FactOf } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import type { Row } from "../../audit/row.ts";
import { GrantId, mint } from "../ipc/ids.ts";
import type { ActionKey } from "./keys.ts";
import type { Grant, GrantLookup } from "./policy.ts";
import type { TurnContext } from "./turn.ts";

/** How long *always* is. */
export const ALWAYS_MS = 30 * 24 * 3_600_000;
/** A session ends by itself long before; a grant for it needs a time all the same. */
export const SESSION_MS = 7 * 24 * 3_600_000;

/** The row of a grant that holds, and how often it may still be used. */
export interface Held {
  readonly row: number;
  /** Null where it is not counted. */
  readonly left: number | null;
}

/** Approvals that are remembered. The rows are what counts: this is what they amount to now. */
export class Grants implements GrantLookup {
  readonly #log: Pick<AuditLog, "append" | "row">;
  readonly #clock: Clock;
  readonly #grants = new Map<string, Grant>();
  /** Who is out: what was on its way for them, or by them, when they went does not hold either. */
  readonly #out = new Set<string>();
  /** The ids of those of one key, agent, person and channel: a decision looks at no others. */
  readonly #places = new Map<string, Set<string>>();

  /** Reads what was given from its rows. @param held which they are: the log, which may be long, is not searched for them. */
  constructor(log: Pick<AuditLog, "append" | "row">, clock: Clock, held: readonly Held[]) {
    this.#log = log;
    this.#clock = clock;
    for (const { row, left } of held) {
      const found = log.row(row);
      if (found !== null) this.#take(found, left);
    }
    this.#forgetSpent();
  }

  #take({ seq, action }: CommittedRow, left: number | null): void {
    if (action.kind !== "grant.given") return;
    const { grant, key, agent, principal, channel, session, until, uses } = action;
    // However it is counted, the row says whether it is.
    if ((uses === null) !== (left === null)) return;
    this.#keep({ grant, row: seq, key, agent, principal, channel, session, until: Date.parse(until), left });
  }

  #keep(grant: Grant): void {
    this.#grants.set(grant.grant, grant);
    const place = placeOf(grant.key, grant.agent, grant.principal, grant.channel);
    const there = this.#places.get(place);
    if (there === undefined) this.#places.set(place, new Set([grant.grant]));
    else there.add(grant.grant);
  }

  /** @returns false if there was none. */
  #drop(id: string): boolean {
    const grant = this.#grants.get(id);
    if (grant === undefined) return false;
    const place = placeOf(grant.key, grant.agent, grant.principal, grant.channel);
    const there = this.#places.get(place);
    there?.delete(id);
    if (there?.size === 0) this.#places.delete(place);
    return this.#grants.delete(id);
  }

  /** Those of one place, spent ones included. */
  at(key: string, agent: string, principal: string, channel: string): readonly Grant[] {
    const there = this.#places.get(placeOf(key, agent, principal, channel));
    return there === undefined ? [] : [...there].flatMap((id) => this.#grants.get(id) ?? []);
  }

  /** Those that still hold. */
  list(): Grant[] {
    this.#forgetSpent();
    return [...this.#grants.values()];
  }

  /** Remembers an approval. @param given.cause the row of the decision. @param given.until the end that was shown, in milliseconds since 1970. */
  async give(
    turn: Pick<TurnContext, "agent" | "principal" | "channel" | "session">,
    key: ActionKey,
    scope: "session" | "always",
    given: { readonly by: string; readonly via: string; readonly cause: number; readonly until?: number },
  ): Promise<Grant> {
    const until = given.until ?? this.#clock.now() + (scope === "always" ? ALWAYS_MS : SESSION_MS);
    const session = scope === "session" ? turn.session : null;
    const { agent, principal, channel } = turn;
    const { by, via, cause } = given;
    return await this.#record({ key, agent, principal, channel, session, until, uses: null }, { by, via }, cause);
  }

  /** Remembers what nobody was asked about: the owner says so beforehand. @param given.until milliseconds since 1970. */
  async add(
    given: {
      readonly key: ActionKey;
      readonly agent: string;
      readonly principal: string;
      readonly channel: string;
      readonly until: number;
      readonly uses: number | null;
    },
    who: { readonly by: string; readonly via: string },
  ): Promise<Grant> {
    return await this.#record({ ...given, session: null }, who, null);
  }

  async #record(
    {
      until,
      uses,
      ...given
    }: Omit<Grant, "grant" | "row" | "left" | "key"> & {
      readonly key: ActionKey;
      readonly uses: number | null;
    },
    who: { readonly by: string; readonly via: string },
    cause: number | null,
  ): Promise<Grant> {
    const grant = mint("grant");
    const row = await this.#log.append(
      { kind: "grant.given", grant, ...given, until: new Date(until).toISOString(), uses, ...who },
      { cause },
    );
    const made: Grant = { grant, row: row.seq, ...given, until, left: uses };
    this.#keep(made);
    if (this.#out.has(given.principal) || this.#out.has(who.by)) await this.revoke(grant, who, row.seq);
    return made;
  }

  /** Takes it back: first that, then the row. @returns null if there is no such grant. */
  async revoke(
    grant: string,
    who: { readonly by: string; readonly via: string },
    cause: number | null,
  ): Promise<Row | null> {
    if (!this.#drop(grant)) return null;
    return this.#log.append({ kind: "grant.revoked", grant: GrantId.parse(grant), ...who }, { cause });
  }

  /** Those that were given to somebody, and those that somebody gave to others. */
  of(principal: string): { readonly got: readonly Grant[]; readonly gave: readonly Grant[] } {
    const all = this.list();
    const got = all.filter((grant) => grant.principal === principal);
    const gave = all.filter((grant) => grant.principal !== principal && this.#giverOf(grant) === principal);
    return { got, gave };
  }

  #giverOf({ row }: Grant): string | null {
    const action = this.#log.row(row)?.action;
    return action?.kind === "grant.given" ? action.by : null;
  }

  /** Takes back, at once, everything that was granted to somebody and by somebody. @returns the rows that say so, for whoever records them. */
  takeOf(principal: string, who: { readonly by: string; readonly via: string }): FactOf[] {
    const { got, gave } = this.of(principal);
    this.#out.add(principal);
    return [...got, ...gave].flatMap(({ grant }) => this.take(grant, who));
  }

  /** Takes one back at once. @returns the row that says so, for whoever records it; none if there is no such grant. */
  take(grant: string, who: { readonly by: string; readonly via: string }): FactOf[] {
    if (!this.#drop(grant)) return [];
    return [{ action: { kind: "grant.revoked", grant: GrantId.parse(grant), ...who }, given: {} }];
  }

  /** A session that has ended takes its grants with it. */
  endSession(session: string): void {
    for (const grant of this.#grants.values()) if (grant.session === session) this.#drop(grant.grant);
  }

  /** An action was recorded that rests on it. */
  used(grant: Grant): void {
    this.#useOf(grant.row);
  }

  #useOf(row: number): void {
    for (const grant of this.#grants.values()) {
      if (grant.row !== row || grant.left === null) continue;
      this.#grants.set(grant.grant, { ...grant, left: Math.max(0, grant.left - 1) });
    }
  }

  /** Those whose time is over, and those that are used up. */
  #forgetSpent(): void {
    const now = this.#clock.now();
    for (const { grant, until, left } of this.#grants.values()) if (until <= now || left === 0) this.#drop(grant);
  }
}

function placeOf(key: string, agent: string, principal: string, channel: string): string {
  return `${key} ${agent} ${principal} ${channel}`;
}
