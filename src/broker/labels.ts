import type { AuditLog } from "../../audit/log.ts";
import type { WayOut } from "./action.ts";
import { Exemptions } from "./exemptions.ts";
import type { TurnCounters } from "./turn.ts";
import { Words } from "./words.ts";

/** Whose bytes are private towards everybody but those who use this agent. */
export const EVERYBODY = "everybody";

/** What is true of bytes: of a result, of a file, of all that is in a conversation (architecture §7). */
export interface Labels {
  /** No paired principal typed them and no operator wrote them. */
  readonly untrusted: boolean;
  /** They are somebody's: ids of principals, or {@link EVERYBODY}. */
  readonly private: readonly string[];
}

export const NO_LABELS: Labels = { untrusted: false, private: [] };

/** Of what is made from several things. */
export function union(...all: readonly Labels[]): Labels {
  return {
    untrusted: all.some(({ untrusted }) => untrusted),
    private: [...new Set(all.flatMap((one) => one.private))].toSorted(),
  };
}

/** Does everything that holds of one hold of the other already? */
export function within(some: Labels, all: Labels): boolean {
  return (!some.untrusted || all.untrusted) && some.private.every((person) => all.private.includes(person));
}

/** The labels of one session: of all that its agent was ever given there, for what an agent was given it may have used in anything that it made since.
 *  They only grow, and end with the session, or when the owner says so. What raises one is on the log before the agent is given it. */
export class SessionLabels {
  readonly session: string;
  /** What was typed and what came in results. */
  readonly words: Words;
  /** What may go out all the same. */
  readonly exemptions: Exemptions;
  readonly #log: Pick<AuditLog, "append">;
  #now: Labels;

  /** @param before what was raised there according to the log. */
  constructor(session: string, log: Pick<AuditLog, "append">, before: Labels, words: Words = new Words()) {
    this.session = session;
    this.words = words;
    this.exemptions = new Exemptions(words);
    this.#log = log;
    this.#now = before;
  }

  get now(): Labels {
    return this.#now;
  }

  /** Something is about to be given to the agent. What restricts is done first, and recorded before this resolves.
   *  @param cause the row that it comes from. @throws {AuditError} if it cannot be recorded: then it must not be given. */
  async raise(labels: Labels, cause: number): Promise<void> {
    const before = this.#now;
    if (within(labels, before)) return;
    this.#now = union(before, labels);
    const rows = [
      ...(labels.untrusted && !before.untrusted ? [{ label: "untrusted", person: null } as const] : []),
      ...labels.private
        .filter((person) => !before.private.includes(person))
        .map((person) => ({ label: "private", person: person === EVERYBODY ? null : person }) as const),
    ];
    await Promise.all(
      rows.map(
        async (row) =>
          await this.#log.append(
            { kind: "label.raised", session: this.session, ...row },
            { cause, seal: this.session },
          ),
      ),
    );
  }

  /** Why a way out is open although untrusted and private bytes are both there; null: it is not, or they are not. */
  exempts(
    way: WayOut,
    turn: { readonly principal: string; readonly counters: TurnCounters },
  ): { readonly reason: string; readonly use: () => void } | null {
    if (!this.#now.untrusted || this.#now.private.length === 0) return null;
    return this.exemptions.find(way, { ...turn, labels: this.#now });
  }

  /** The owner says that nothing of it matters any more. The caller records it. */
  clear(): void {
    this.#now = NO_LABELS;
  }
}

/** What the log says of a session that goes on. */
export interface Before {
  readonly labels: Labels;
  readonly words: Words;
}

/** Sessions whose labels are kept in memory, with the words that were typed there: many more than turns can run or wait at once. */
const MAX_SESSIONS = 200;

/** The labels of every session that anything runs in. */
export class LabelBook {
  readonly #log: Pick<AuditLog, "append">;
  readonly #before: (session: string) => Before;
  readonly #sessions = new Map<string, SessionLabels>();

  /** @param before what the log says of a session. */
  constructor(log: Pick<AuditLog, "append">, before: (session: string) => Before) {
    this.#log = log;
    this.#before = before;
  }

  of(session: string): SessionLabels {
    const known = this.#sessions.get(session);
    if (known !== undefined) {
      // Let go of last: a turn of it is about to run.
      this.#sessions.delete(session);
      this.#sessions.set(session, known);
      return known;
    }
    const { labels, words } = this.#before(session);
    const made = new SessionLabels(session, this.#log, labels, words);
    this.#sessions.set(session, made);
    // One that is let go of is made again from its rows.
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > MAX_SESSIONS && oldest !== undefined) this.#sessions.delete(oldest);
    return made;
  }
}
