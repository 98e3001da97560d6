import { expect, test } from "vitest";
import { pointInTime } from "../../src/cli/point-in-time.ts";

const NOW = Date.parse("2026-11-28T14:03:00.000Z");

/** As this machine writes its own time. */
const local = (text: string): string => new Date(text).toISOString();

test.for([
  ["30s", "2026-11-28T14:02:30.000Z"],
  ["15m", "2026-11-28T13:48:00.000Z"],
  ["2h", "2026-11-28T12:03:00.000Z"],
  ["3d", "2026-11-25T14:03:00.000Z"],
  ["1w", "2026-11-21T14:03:00.000Z"],
  ["2026-11-28T14:03:07.250Z", "2026-11-28T14:03:07.250Z"],
  ["2026-11-28T14:03+02:00", "2026-11-28T12:03:00.000Z"],
  ["2026-11-28", local("2026-11-28T00:00:00")],
  ["2026-11-28 14:03", local("2026-11-28T14:03:00")],
] as const)("%s is a time", ([typed, time]) => {
  expect(pointInTime(typed, "--since", NOW)).toBe(time);
});

test.for(["", "yesterday", "2 h", "h", "1y", "2026-13-01", "2026-02-30", "14:03", "-2h", "9999999h", "999999w"])(
  "%j is none, and the option is named",
  (typed) => {
    expect(() => pointInTime(typed, "--until", NOW)).toThrow("--until takes a time");
  },
);
