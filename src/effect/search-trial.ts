import type { Recorded } from "../../audit/recorded.ts";
import type { SearchService } from "../ipc/fetch-frames.ts";
import type { WebAnswer, WebPort } from "./web.ts";

/** What is searched for: a word that every service knows, and that says nothing of anybody. */
export const TRIAL_QUERY = "Oslo";
const TRIAL_RESULTS = 3;

/** Asks the search service one question, once it is on the log who wanted that. */
export async function trySearch(
  recorded: Recorded<"search.trying">,
  asked: { readonly service: SearchService; readonly host: string },
  web: Pick<WebPort, "search">,
  signal: AbortSignal,
): Promise<WebAnswer> {
  recorded.redeem();
  const action = { type: "web.search", ...asked, query: TRIAL_QUERY, limit: TRIAL_RESULTS } as const;
  return await web.search(action, recorded.seq, signal);
}
