import { expect, test } from "vitest";
import { ModelError } from "../../src/model/model-error.ts";
import { isPassingStatus, type RetryPolicy, retryAfterMs, withRetry } from "../../src/model/retry.ts";

const NOW = Date.parse("2026-03-01T12:00:00Z");
const POLICY: RetryPolicy = { tries: 3, firstPauseMs: 4, longestPauseMs: 8, longestAskedMs: 50 };

test.for([
  [{ "retry-after": "2" }, 2000],
  [{ "retry-after": "1.5" }, 1500],
  [{ "retry-after": "Sun, 01 Mar 2026 12:00:30 GMT" }, 30_000],
  [{ "retry-after": "Sun, 01 Mar 2020 12:00:30 GMT" }, 0],
  [{ "retry-after": "999999999" }, 86_400_000],
  [{ "retry-after": "soon" }, null],
  [{ "retry-after": "" }, null],
  [{ "retry-after-ms": "120", "retry-after": "9" }, 120],
  [{ "retry-after-ms": "x", "retry-after": "9" }, 9000],
  [{}, null],
] as const)("%j asks to wait %s ms", ([headers, ms]) => {
  expect(retryAfterMs(new Headers({ ...headers }), NOW)).toBe(ms);
});

test("only 408, 409, 429 and a server's own failures pass", () => {
  const passing = Array.from({ length: 200 }, (_, at) => at + 400).filter(isPassingStatus);
  expect(passing.filter((status) => status < 500)).toEqual([408, 409, 429]);
  expect(passing.filter((status) => status >= 500)).toHaveLength(100);
});

function tries(failures: readonly ModelError[], given: { mayRepeat?: boolean; withinMs?: number } = {}) {
  let tried = 0;
  const outcome = withRetry(
    () => {
      const failure = failures[tried++];
      return failure === undefined ? Promise.resolve("answer") : Promise.reject(failure);
    },
    () => given.mayRepeat ?? true,
    performance.now() + (given.withinMs ?? 1000),
    new AbortController().signal,
    POLICY,
  ).then(
    (text) => ({ text, tried }),
    (error: unknown) => ({ text: error instanceof Error ? error.message : "", tried }),
  );
  return outcome;
}
const passing = (retryAfter?: number) =>
  new ModelError("overloaded", "busy", { passing: true, retryAfterMs: retryAfter ?? null });

test("a passing failure is tried three times and no more", async () => {
  expect(await tries([passing(), passing()])).toEqual({ text: "answer", tried: 3 });
  expect(await tries([passing(), passing(), passing()])).toEqual({ text: "busy; tried 3 times", tried: 3 });
});

test("any other failure is not tried again", async () => {
  expect(await tries([new ModelError("bad-request", "no")])).toEqual({ text: "no", tried: 1 });
});

test("nothing is tried again after text was given out", async () => {
  expect(await tries([passing()], { mayRepeat: false })).toEqual({ text: "busy", tried: 1 });
});

test("nothing is tried again when its pause would end after the time limit", async () => {
  expect(await tries([passing(40)], { withinMs: 20 })).toEqual({ text: "busy", tried: 1 });
});

test("nobody waits without a word for a provider that asks for long", async () => {
  expect(await tries([passing(51)])).toEqual({ text: "busy", tried: 1 });
});
