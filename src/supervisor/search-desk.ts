import type { AuditLog } from "../../audit/log.ts";
import { TRIAL_QUERY, trySearch } from "../effect/search-trial.ts";
import type { WebPort } from "../effect/web.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

/** Of what came back, so much is shown. */
const SHOWN_LINES = 12;

export interface SearchDeskParts {
  readonly log: Pick<AuditLog, "record">;
  readonly web: Pick<WebPort, "searching" | "search">;
  readonly now: () => number;
}

/** What the owner asks about web search: whether it works. */
export class SearchDesk {
  readonly #parts: SearchDeskParts;

  constructor(parts: SearchDeskParts) {
    this.#parts = parts;
  }

  /** Asks one question, in which nothing of anybody's is. @throws {OperatorError} if search is off, or was not answered. */
  async test(who: By, signal: AbortSignal): Promise<AnswerTo<"search.test">> {
    const { log, web, now } = this.#parts;
    const asked = web.searching();
    if (typeof asked === "string") throw new OperatorError("not-ready", asked);
    const { service, host } = asked;
    const began = now();
    await using recorded = await log.record<"search.trying">(
      { kind: "search.trying", service, ...who },
      { cause: null },
    );
    const answer = await trySearch(recorded, asked, web, signal);
    if (answer.state !== "answered") {
      const why =
        answer.state === "failed"
          ? answer.sentence
          : answer.state === "redirected"
            ? `it leads to ${answer.url}`
            : "it was stopped";
      await recorded.fail(new Error(why));
      throw new OperatorError("bad-answer", `${service} (${host}) does not answer: ${why}`);
    }
    await recorded.finish<"search.tried">({ kind: "search.tried", status: answer.status });
    const shown = answer.text.split("\n").slice(0, SHOWN_LINES).join("\n");
    return { service, host, query: TRIAL_QUERY, shown, ms: Math.round(now() - began) };
  }
}
