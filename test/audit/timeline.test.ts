import { expect, test } from "vitest";
import { stamp, type Timeline, timelineFrom } from "../../audit/timeline.ts";
import { HandClock } from "../support/audit-ports.ts";

function after(clock: HandClock): Timeline {
  return stamp(timelineFrom(null), clock).next;
}

test("time that passes is the rows' time, and nothing is said of it", () => {
  const clock = new HandClock();
  const timeline = after(clock);
  clock.pass(3_600_000);
  expect(stamp(timeline, clock)).toMatchObject({ at: "2026-11-23T23:31:00.000Z", changed: null });
});

test("a clock set back does not take the rows back: they keep the newest time, and one row holds the real one", () => {
  const clock = new HandClock();
  const timeline = after(clock);
  clock.pass(1_000);
  clock.step(-3_000);
  const first = stamp(timeline, clock);
  expect(first).toMatchObject({
    at: "2026-11-23T22:31:00.000Z",
    changed: { real: "2026-11-23T22:30:58.000Z", reason: "backwards" },
  });
  clock.pass(500);
  expect(stamp(first.next, clock)).toMatchObject({ at: "2026-11-23T22:31:00.000Z", changed: null });
  clock.pass(2_000);
  expect(stamp(first.next, clock)).toMatchObject({ at: "2026-11-23T22:31:00.500Z", changed: null });
});

test.for([
  ["an NTP step forward", 6_000, "jump"],
  ["eight hours of sleep", 8 * 3_600_000, "jump"],
] as const)("%s is said once, and time goes on from there", ([, step, reason]) => {
  const clock = new HandClock();
  const timeline = after(clock);
  clock.pass(100);
  clock.step(step);
  const jumped = stamp(timeline, clock);
  expect(jumped.changed).toMatchObject({ reason });
  expect(Date.parse(jumped.at)).toBe(clock.wall);
  clock.pass(100);
  expect(stamp(jumped.next, clock).changed).toBeNull();
});

test("a step of up to five seconds, or a slow drift, is not worth a row", () => {
  const clock = new HandClock();
  let timeline = after(clock);
  for (let hour = 0; hour < 24; hour++) {
    clock.pass(3_600_000);
    clock.step(4_900);
    const next = stamp(timeline, clock);
    expect(next.changed).toBeNull();
    timeline = next.next;
  }
});

test("a clock set back by more than the log has run says so, although no row is earlier", () => {
  const clock = new HandClock();
  const timeline = after(clock);
  clock.pass(3_600_000);
  clock.step(-600_000);
  expect(stamp(timeline, clock)).toMatchObject({ at: "2026-11-23T23:21:00.000Z", changed: { reason: "backwards" } });
});

test("a start after the clock was set back goes on from the newest row", () => {
  const clock = new HandClock("2026-11-01T00:00:00.000Z");
  expect(stamp(timelineFrom("2026-11-23T22:31:00.000Z"), clock)).toMatchObject({
    at: "2026-11-23T22:31:00.000Z",
    changed: { real: "2026-11-01T00:00:00.000Z", reason: "backwards" },
  });
});

test.for([Number.MAX_SAFE_INTEGER, -1, 8.64e15])("a clock that says %i does not break the form of a time", (wall) => {
  const clock = new HandClock();
  clock.wall = wall;
  expect(stamp(timelineFrom(null), clock).at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
});
