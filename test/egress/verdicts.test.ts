import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { SAME_MS, TOLD_AT_ONCE, type Verdict, Verdicts, WAITING } from "../../src/egress/verdicts.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

function told(): { verdicts: Verdicts; heard: { host: string; times: number; at: number; reason: string | null }[] } {
  const heard: { host: string; times: number; at: number; reason: string | null }[] = [];
  const start = performance.now();
  const verdicts = new Verdicts(({ host, reason }, times) =>
    heard.push({ host, reason, times, at: performance.now() - start }),
  );
  return { verdicts, heard };
}

const REACHED: Verdict = { host: "a.example", port: 443, reason: null };

test("the first is told at once, those that follow in a second together", () => {
  const { verdicts, heard } = told();
  for (let count = 0; count < 5; count++) verdicts.add(REACHED);
  vi.advanceTimersByTime(10 * SAME_MS);
  expect(heard).toEqual([
    { host: "a.example", reason: null, times: 1, at: 0 },
    { host: "a.example", reason: null, times: 4, at: SAME_MS },
  ]);
});

test("another result, port or host is another verdict", () => {
  const { verdicts, heard } = told();
  for (const verdict of [
    REACHED,
    { ...REACHED, reason: "busy" as const },
    { ...REACHED, port: 80 },
    { ...REACHED, host: "b.example" },
  ])
    verdicts.add(verdict);
  expect(heard.map(({ times }) => times)).toEqual([1, 1, 1, 1]);
});

test("a thousand hosts are told slowly, none is told twice in a second, and every one is counted", () => {
  const { verdicts, heard } = told();
  for (let host = 0; host < 1000; host++) verdicts.add({ host: `${host}.example`, port: 443, reason: "unlisted" });
  expect(heard).toHaveLength(TOLD_AT_ONCE);
  vi.advanceTimersByTime(120 * SAME_MS);
  expect(heard.reduce((sum, { times }) => sum + times, 0)).toBe(1000);
  expect(heard.filter(({ host }) => host !== "")).toHaveLength(TOLD_AT_ONCE + WAITING);
  for (const { at } of heard)
    expect(heard.filter((other) => other.at >= at && other.at < at + SAME_MS).length).toBeLessThanOrEqual(TOLD_AT_ONCE);
});

test("what waits is told when the lane ends", () => {
  const { verdicts, heard } = told();
  verdicts.add(REACHED);
  verdicts.add(REACHED);
  verdicts.end();
  expect(heard.map(({ times }) => times)).toEqual([1, 1]);
});

test("a host is told in at most 255 bytes and without what a terminal obeys", () => {
  const { verdicts, heard } = told();
  verdicts.add({ host: `\u001b[2J${"ä".repeat(300)}`, port: null, reason: "malformed" });
  expect(heard[0]?.host).toBe(`?[2J${"?".repeat(251)}`);
});
