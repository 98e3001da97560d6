import { setTimeout as delay } from "node:timers/promises";
import { errorCode, isUnauthorised, rateLimit } from "./api.ts";

/** Questions without whose answers we cannot go on. */

const FIRST_MS = 1_000;
const LAST_MS = 30_000;

/** What was asked about is not there, or not for us. */
export const NOT_THERE = Symbol("not there");

/** Asks until there is an answer. @returns {@link NOT_THERE} where Discord says no for good.
 *  @throws when `signal` ends it. */
export async function answered<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T | typeof NOT_THERE> {
  for (let wait = FIRST_MS; ; wait = Math.min(wait * 2, LAST_MS)) {
    signal.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      if (isFinal(error)) return NOT_THERE;
      await delay(Math.max(rateLimit(error) ?? wait, 1), undefined, { signal });
    }
  }
}

function isFinal(error: unknown): boolean {
  const code = errorCode(error);
  return isUnauthorised(error) || (code !== null && code > 0);
}
