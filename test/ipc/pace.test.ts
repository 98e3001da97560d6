import { expect, test } from "vitest";
import { END_AT, PAUSE_AT, Pace } from "../../src/ipc/pace.ts";

test("a peer with fewer than 2,000 frames a second is never held back", () => {
  let now = 500;
  const pace = new Pace(() => now);
  for (let second = 0; second < 60; second++, now += 1000)
    for (let i = 1; i < PAUSE_AT; i++) expect(pace.count()).toBe(0);
});

test("the 2,000th frame of a second holds the pipe until the next second", () => {
  let now = 7300;
  const pace = new Pace(() => now);
  for (let i = 1; i < PAUSE_AT; i++) pace.count();
  expect(pace.count()).toBe(700);
  now = 8000;
  expect(pace.count()).toBe(0);
});

test("a peer that floods on, held back in each of ten seconds, ends by the 20,000th frame", () => {
  let now = 0;
  const pace = new Pace(() => now);
  let frames = 0;
  for (;;) {
    const verdict = pace.count();
    frames++;
    if (verdict === "flood") break;
    now += verdict;
  }
  expect(frames).toBe(END_AT);
  expect(now).toBe(9000);
});

test("a burst is forgotten after ten seconds", () => {
  let now = 0;
  const pace = new Pace(() => now);
  for (let burst = 0; burst < 20; burst++, now += 10_000)
    for (let i = 1; i < PAUSE_AT; i++) expect(pace.count()).toBe(0);
  for (let i = 1; i < PAUSE_AT; i++) expect(pace.count()).toBe(0);
});
