import type { AuditLog } from "../../../audit/log.ts";
import type { TurnContext } from "../turn.ts";
import { ENTRY_MEANS, type Entry, type InjectionClass, MEANS } from "./finding.ts";
import { scan } from "./scan.ts";

/** What was found in something that is in a session's context. */
export interface Suspect {
  /** The `injection.found` row. */
  readonly row: number;
  readonly entry: Entry;
  readonly class: InjectionClass;
  readonly times: number;
}

/** What of that is shown at once, the newest. */
export const MAX_SUSPECTS = 20;

/** What a suspect is, in a sentence for people. */
export function suspectSentence({ entry, class: kind, times }: Pick<Suspect, "entry" | "class" | "times">): string {
  return `${ENTRY_MEANS[entry]} ${MEANS[kind]}${times === 1 ? "" : ` (${times} times)`}`;
}

/** Looks through what enters contexts, and puts what it finds on the record. It decides nothing, and nothing waits for its verdict. */
export class Suspects {
  readonly #log: Pick<AuditLog, "append">;
  readonly #of: (session: string) => readonly Suspect[];

  /** @param of what was found in a session that goes on, newest last. */
  constructor(log: Pick<AuditLog, "append">, of: (session: string) => readonly Suspect[]) {
    this.#log = log;
    this.#of = of;
  }

  of(session: string): readonly Suspect[] {
    return this.#of(session).slice(-MAX_SUSPECTS);
  }

  /** @param text as it enters the context. @param cause the row that brought it.
   *  @returns what was found. @throws {AuditError} if that could not be recorded. */
  async look(
    { turn, session }: Pick<TurnContext, "turn" | "session">,
    entry: Entry,
    text: string,
    cause: number,
  ): Promise<Suspect[]> {
    return await Promise.all(
      scan(text).map(async ({ class: kind, times, excerpt }) => {
        const { seq } = await this.#log.append(
          { kind: "injection.found", turn, session, entry, class: kind, times },
          { cause, seal: session, content: { text: excerpt } },
        );
        return { row: seq, entry, class: kind, times };
      }),
    );
  }
}
