import { setTimeout as sleep } from "node:timers/promises";
import { ModelError } from "./model-error.ts";

export interface RetryPolicy {
  readonly tries: number;
  /** The first pause; each further one is twice as long. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** A provider that asks for more than this is reported at once: nobody waits that long without a word. */
  readonly longestAskedMs: number;
}

export const RETRY: RetryPolicy = { tries: 3, firstPauseMs: 500, longestPauseMs: 8_000, longestAskedMs: 60_000 };

/** Statuses after which the same request may succeed later. */
export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 409 || status === 429 || status >= 500;
}

/** Reads `retry-after-ms` (milliseconds) and `retry-after` (seconds or an HTTP date).
 *  @returns milliseconds from `now`, at most a day; null without a readable header.
 *  @see https://www.rfc-editor.org/rfc/rfc9110#field.retry-after */
export function retryAfterMs(headers: Headers, now: number): number | null {
  const exact = headers.get("retry-after-ms");
  if (exact !== null && /^\d{1,9}(\.\d+)?$/.test(exact.trim())) return clamp(Number(exact));
  const plain = headers.get("retry-after")?.trim();
  if (plain === undefined || plain === "") return null;
  if (/^\d{1,9}(\.\d+)?$/.test(plain)) return clamp(Number(plain) * 1000);
  const date = Date.parse(plain);
  // By the provider's clock, where it says what that shows: ours may be hours away from it.
  const theirs = Date.parse(headers.get("date") ?? "");
  return Number.isNaN(date) ? null : clamp(date - (Number.isNaN(theirs) ? now : theirs));
}

const DAY_MS = 86_400_000;
function clamp(ms: number): number {
  return Math.min(Math.max(Math.ceil(ms), 0), DAY_MS);
}

/** Calls `attempt` until it succeeds, fails for good, or the tries or the time are used up.
 *  @param mayRepeat false once anything was given out: then nothing is tried again.
 *  @param deadline in ms of `performance.now()`: no pause ends after it.
 *  @throws {ModelError} the last failure, whose sentence says how often it was tried. */
export async function withRetry<T>(
  attempt: () => Promise<T>,
  mayRepeat: (error: ModelError) => boolean,
  deadline: number,
  signal: AbortSignal,
  policy: RetryPolicy,
): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof ModelError) || !error.passing || !mayRepeat(error) || signal.aborted) throw error;
      const pause = pauseMs(tried, error.retryAfterMs, policy);
      if (tried >= policy.tries || pause === null || performance.now() + pause >= deadline)
        throw afterTries(error, tried);
      // An abort ends the pause; `attempt` then says why.
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Half of each pause is random, so that many clients do not come back together. What the provider asks for is the least. */
function pauseMs(tried: number, asked: number | null, policy: RetryPolicy): number | null {
  if (asked !== null && asked > policy.longestAskedMs) return null;
  const full = Math.min(policy.firstPauseMs * 2 ** (tried - 1), policy.longestPauseMs);
  return Math.max(asked ?? 0, full / 2) + (Math.random() * full) / 2;
}

function afterTries(error: ModelError, tried: number): ModelError {
  if (tried === 1) return error;
  return new ModelError(error.code, `${error.message}; tried ${tried} times`, {
    cause: error,
    passing: error.passing,
    retryAfterMs: error.retryAfterMs,
  });
}
