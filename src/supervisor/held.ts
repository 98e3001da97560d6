import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import { grantRowsOf } from "../../audit/rests.ts";

/** Rows read at once. */
const PAGE = 1_000;

export interface HeldPerson {
  readonly principal: string;
  /** Null once it was erased. */
  readonly name: string | null;
  readonly role: "user" | "approver" | "owner";
  readonly since: string;
  /** The row that let them in. */
  readonly row: number;
  readonly by: string;
  readonly via: string;
  /** Where they were known. */
  readonly channels: readonly string[];
}

/** One of a person's channels; whose it was there is content. */
interface Linked {
  readonly principal: string;
  readonly channel: string;
  readonly sender: string | null;
}

export interface HeldGrant {
  readonly grant: string;
  readonly key: string;
  readonly agent: string;
  readonly principal: string;
  readonly channel: string;
  readonly session: string | null;
  readonly until: string;
  readonly since: string;
  readonly row: number;
  readonly by: string;
  readonly via: string;
}

/** A policy, or an agent's settings, as it was put in force. */
export interface HeldText {
  readonly row: number;
  readonly since: string;
  readonly digest: string;
  /** Null once it was erased. */
  readonly text: string | null;
}

export interface HeldAgent extends HeldText {
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
}

/** What held at a row: folded from the rows up to it, so that today's people, grants and rules have no part in it. */
export interface Held {
  readonly seq: number;
  readonly at: string;
  readonly policy: HeldText | null;
  readonly agents: readonly HeldAgent[];
  readonly people: readonly HeldPerson[];
  readonly grants: readonly HeldGrant[];
}

const KINDS = ["person.", "identity.", "grant.", "session.closed", "policy.loaded", "agent.configured"];

/** @param seq the row up to which is read, itself included. @param at the time that grants must not have ended at. */
export async function heldAt(log: AuditLog, seq: number, at: string, signal?: AbortSignal): Promise<Held> {
  const fold = new Fold();
  for await (const row of rowsUpTo(log, KINDS, -1, seq, signal)) fold.take(row);
  // Calls are many: they are read only where there is a grant whose uses are counted, and from there on.
  const oldest = fold.oldestCounted;
  if (oldest !== null) for await (const row of rowsUpTo(log, ["tool.called"], oldest, seq, signal)) fold.take(row);
  return fold.at(seq, at);
}

async function* rowsUpTo(
  log: AuditLog,
  kinds: readonly string[],
  from: number,
  seq: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<CommittedRow> {
  for (let after = from; ; ) {
    const rows = await log.search({ kinds, after, before: seq + 1, limit: PAGE }, signal);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    after = last.seq;
  }
}

/** The last row that is not later than a time; -1 if the log began after it. @param at as the log writes it. */
export async function rowAt(log: AuditLog, at: string): Promise<number> {
  const until = new Date(Date.parse(at) + 1).toISOString();
  const [row] = await log.search({ until, limit: 1 });
  return row?.seq ?? -1;
}

class Fold {
  #policy: HeldText | null = null;
  readonly #agents = new Map<string, HeldAgent>();
  readonly #people = new Map<string, Omit<HeldPerson, "channels">>();
  #linked: Linked[] = [];
  readonly #grants = new Map<string, HeldGrant>();
  /** Uses that are left of those grants that have a number of them, by the row that gave them. */
  readonly #left = new Map<number, number>();

  get oldestCounted(): number | null {
    const held = [...this.#grants.values()].filter(({ row }) => this.#left.has(row));
    return held.length === 0 ? null : Math.min(...held.map(({ row }) => row));
  }

  take(row: CommittedRow): void {
    const { action, seq, at } = row;
    switch (action.kind) {
      case "policy.loaded":
        this.#policy = { row: seq, since: at, digest: action.digest, text: readable(row, "text") };
        return;
      case "agent.configured": {
        const { agent, digest, provider, model } = action;
        this.#agents.set(agent, {
          row: seq,
          since: at,
          agent,
          digest,
          provider,
          model,
          text: readable(row, "settings"),
        });
        return;
      }
      case "person.added": {
        const { principal, role, by, via } = action;
        const name = readable(row, "name");
        this.#people.set(principal, { principal, role, by, via, name, since: at, row: seq });
        return;
      }
      case "person.changed": {
        const person = this.#people.get(action.principal);
        if (person !== undefined) this.#people.set(action.principal, { ...person, role: action.role });
        return;
      }
      case "person.revoked":
        this.#people.delete(action.principal);
        this.#linked = this.#linked.filter(({ principal }) => principal !== action.principal);
        return;
      case "identity.linked": {
        const { principal, channel } = action;
        this.#linked.push({ principal, channel, sender: readable(row, "sender") });
        return;
      }
      case "identity.unlinked": {
        const { principal, channel } = action;
        const sender = readable(row, "sender");
        const index = this.#linked.findIndex(
          (one) => one.principal === principal && one.channel === channel && one.sender === sender,
        );
        if (index >= 0) this.#linked.splice(index, 1);
        return;
      }
      case "grant.given": {
        const { kind: _, uses, ...given } = action;
        this.#grants.set(action.grant, { ...given, since: at, row: seq });
        if (uses !== null) this.#left.set(seq, uses);
        return;
      }
      case "grant.revoked":
        this.#grants.delete(action.grant);
        return;
      case "session.closed":
        for (const [id, grant] of this.#grants) if (grant.session === action.session) this.#grants.delete(id);
        return;
      case "tool.called": {
        for (const grant of grantRowsOf(action)) {
          const left = this.#left.get(grant);
          if (left !== undefined) this.#left.set(grant, left - 1);
        }
        return;
      }
      default:
        return;
    }
  }

  #channelsOf(principal: string): string[] {
    return [...new Set(this.#linked.flatMap((one) => (one.principal === principal ? [one.channel] : [])))];
  }

  at(seq: number, at: string): Held {
    return {
      seq,
      at,
      policy: this.#policy,
      agents: [...this.#agents.values()],
      people: [...this.#people.values()].map((person) => ({ ...person, channels: this.#channelsOf(person.principal) })),
      grants: [...this.#grants.values()].filter(({ until, row }) => until > at && this.#left.get(row) !== 0),
    };
  }
}

/** Content that was erased, or was changed, is none: `verify` says which. */
function readable(row: CommittedRow, part: string): string | null {
  try {
    return row.content(part);
  } catch {
    return null;
  }
}
