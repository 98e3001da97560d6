import type { Head } from "../../audit/entry.ts";
import type { AuditLog } from "../../audit/log.ts";
import type { StoredPart } from "../../audit/removal.ts";
import { mint } from "../ipc/ids.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { ERASED, type State } from "./state.ts";

/** What a hold exempts: one session, one person, or all that was recorded in a span of time. */
export type HoldTarget =
  | { readonly subject: "session"; readonly session: string }
  | { readonly subject: "principal"; readonly principal: string }
  | { readonly subject: "span"; readonly from: string; readonly to: string };

export interface Hold {
  readonly hold: string;
  readonly target: HoldTarget;
  readonly reason: string;
  readonly at: string;
  readonly by: string;
}

/** What is kept although it would be erased: nothing of it goes by retention or pruning, and no erasure is begun that touches it. */
export class Holds {
  readonly #log: AuditLog;
  readonly #state: State;
  #holds: Map<string, Hold> | null = null;

  constructor(log: AuditLog, state: State) {
    this.#log = log;
    this.#state = state;
  }

  /** Read from the log when they are first asked for: most days nobody does. */
  #all(): Map<string, Hold> {
    if (this.#holds !== null) return this.#holds;
    const holds = new Map<string, Hold>();
    for (const { at, action, content } of this.#state.newest(this.#log, ["hold.added", "hold.removed"])) {
      if (action.kind === "hold.removed") holds.delete(action.hold);
      if (action.kind !== "hold.added") continue;
      const { hold, subject, session, principal, from, to, by } = action;
      const target: HoldTarget | null =
        subject === "session" && session !== null
          ? { subject, session }
          : subject === "principal" && principal !== null
            ? { subject, principal }
            : subject === "span" && from !== null && to !== null
              ? { subject, from, to }
              : null;
      if (target !== null) holds.set(hold, { hold, target, reason: content("reason") ?? ERASED, at, by });
    }
    this.#holds = holds;
    return holds;
  }

  list(): Hold[] {
    return [...this.#all().values()];
  }

  async add(target: HoldTarget, reason: string, who: By): Promise<Hold> {
    if (target.subject === "session" && this.#state.session(target.session) === null)
      throw new OperatorError("not-found", `there is no session ${target.session}`, "wirken audit log names them");
    if (target.subject === "principal" && !this.#state.isKnown(target.principal))
      throw new OperatorError(
        "not-found",
        `nobody has the id ${target.principal}`,
        "run wirken pair list to see the people",
      );
    if (target.subject === "span" && target.from > target.to)
      throw new OperatorError("usage", "a span ends after it begins", "give the earlier time with --from");
    const holds = this.#all();
    const hold = mint("hold");
    const fields = {
      subject: target.subject,
      session: target.subject === "session" ? target.session : null,
      principal: target.subject === "principal" ? target.principal : null,
      from: target.subject === "span" ? target.from : null,
      to: target.subject === "span" ? target.to : null,
    };
    const { at } = await this.#log.append(
      { kind: "hold.added", hold, ...fields, ...who },
      { cause: null, content: { reason } },
    );
    const made: Hold = { hold, target, reason, at, by: who.by };
    holds.set(hold, made);
    return made;
  }

  async remove(hold: string, reason: string | null, who: By): Promise<Hold> {
    const found = this.#all().get(hold);
    if (found === undefined)
      throw new OperatorError("not-found", `there is no hold ${hold}`, "wirken audit hold list shows those there are");
    await this.#log.append(
      { kind: "hold.removed", hold, ...who },
      { cause: null, ...(reason === null ? {} : { content: { reason } }) },
    );
    this.#all().delete(hold);
    return found;
  }

  /** The first hold that touches one of these, or null. A span touches a session if any of it was said in it. */
  over(sessions: readonly string[], principal: string | null): Hold | null {
    const spans = sessions.map((session) => this.#spanOf(session));
    const touches = ({ target }: Hold): boolean => {
      switch (target.subject) {
        case "session":
          return sessions.includes(target.session);
        case "principal":
          return (
            target.principal === principal ||
            sessions.some((session) => this.#state.principalsOf(session).includes(target.principal))
          );
        case "span":
          return spans.some(({ from, to }) => from <= target.to && to >= target.from);
      }
    };
    return this.list().find(touches) ?? null;
  }

  /** From its first message to the last thing that happened in it. */
  #spanOf(session: string): { from: string; to: string } {
    const to = this.#state.session(session)?.last ?? "";
    const [first] = this.#state.messagesOf(session);
    // Where that row was pruned it may have been at any time.
    return { from: first === undefined ? to : (this.#log.row(first.seq)?.at ?? ""), to };
  }

  /** Tells, row by row in order, what is exempt. */
  exempt(): Exempt {
    return new Exempt(this.list(), this.#state);
  }
}

/** One pass over rows or content: what a hold exempts takes what it caused with it. */
export class Exempt {
  readonly #marks: readonly string[];
  readonly #scopes: ReadonlySet<string>;
  readonly #spans: readonly { readonly from: string; readonly to: string }[];
  readonly #rows = new Set<number>();

  constructor(holds: readonly Hold[], state: State) {
    const principals = holds.flatMap(({ target }) => (target.subject === "principal" ? [target.principal] : []));
    const sessions = new Set([
      ...holds.flatMap(({ target }) => (target.subject === "session" ? [target.session] : [])),
      ...principals.flatMap((principal) => state.sessionsOf(principal)),
    ]);
    this.#scopes = new Set([...sessions, ...principals]);
    this.#marks = [
      ...[...sessions].map((session) => `"session":"${session}"`),
      ...principals.flatMap((principal) => [`"principal":"${principal}"`, `"by":"${principal}"`]),
    ];
    this.#spans = holds.flatMap(({ target }) => (target.subject === "span" ? [target] : []));
  }

  row({ seq, at, cause }: Head, body: string): boolean {
    const held =
      this.#inSpan(at) || (cause !== null && this.#rows.has(cause)) || this.#marks.some((mark) => body.includes(mark));
    if (held) this.#rows.add(seq);
    return held;
  }

  session(session: string): boolean {
    return this.#scopes.has(session);
  }

  part({ scope, at, body }: StoredPart): boolean {
    return this.#scopes.has(scope) || this.#inSpan(at) || this.#marks.some((mark) => body.includes(mark));
  }

  #inSpan(at: string): boolean {
    return this.#spans.some(({ from, to }) => from <= at && at <= to);
  }
}

/** What a hold exempts, in words. */
export function sentenceOf(target: HoldTarget): string {
  switch (target.subject) {
    case "session":
      return `session ${target.session}`;
    case "principal":
      return `person ${target.principal}`;
    case "span":
      return `all from ${target.from} to ${target.to}`;
  }
}
