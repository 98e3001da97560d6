import { expect, test } from "vitest";
import { dueBetween, nextTimes, readTimes, timeIn, TimesError } from "../../src/broker/schedules/times.ts";
import { cronOf } from "../../src/broker/schedules/words.ts";

const BERLIN = "Europe/Berlin";
const at = (time: string): number => Date.parse(time);

function next(cron: string, after: string, count: number, zone = BERLIN): string[] {
  return nextTimes({ cron, zone }, at(after), count).map((time) => new Date(time).toISOString().slice(0, 16));
}

test.for([
  ["every day at 18:30", "30 18 * * *"],
  ["Daily at 7", "0 7 * * *"],
  ["every weekday at 9", "0 9 * * 1-5"],
  ["every weekend day at 10am", "0 10 * * 0,6"],
  ["every monday at 9:15 pm", "15 21 * * 1"],
  ["every friday at noon", "0 12 * * 5"],
  ["every day at 12am", "0 0 * * *"],
  ["every day at 12:30pm", "30 12 * * *"],
  ["every day at midnight", "0 0 * * *"],
  ["every month on the 1st at 8", "0 8 1 * *"],
  ["every hour", "0 * * * *"],
  ["every 2 hours", "0 */2 * * *"],
  ["every  15   minutes", "*/15 * * * *"],
] as const)("“%s” means %s", ([words, cron]) => {
  expect(cronOf(words)).toBe(cron);
  expect(readTimes(words, BERLIN, at("2027-01-01T00:00:00Z")).cron).toBe(cron);
});

test.for([
  "every now and then",
  "every 7 minutes",
  "every 5 hours",
  "every day at 24",
  "every day at 9:60",
  "every day at 13pm",
  "every month on 32 at 8",
  "every day",
  "at 9",
  "",
  "61 * * * *",
  "* * * * * *",
  "0 9 * *",
])("“%s” is refused, with what can be said instead, and not guessed", (words) => {
  expect(() => readTimes(words, BERLIN, at("2027-01-01T00:00:00Z"))).toThrow(TimesError);
  expect(() => readTimes(words, BERLIN, at("2027-01-01T00:00:00Z"))).toThrow(/every weekday at 9/);
});

test("what never comes, comes too often, or has no zone is refused", () => {
  const now = at("2027-01-01T00:00:00Z");
  expect(() => readTimes("0 0 30 2 *", BERLIN, now)).toThrow("0 0 30 2 * never comes");
  for (const often of ["* * * * *", "*/3 * * * *", "58,59 23 * * *", "0,2 4 1 1 *"])
    expect(() => readTimes(often, BERLIN, now), often).toThrow(TimesError);
  expect(() => readTimes("0,2 4 1 1 *", BERLIN, now)).toThrow("more often than every 5 minutes");
  expect(() => readTimes("0 9 * * *", "Mars/Olympus", now)).toThrow("is no time zone that is known here");
});

test("an hour that is skipped in spring is made up for at the first moment after it", () => {
  expect(next("30 2 * * *", "2027-03-27T00:00:00Z", 3)).toEqual([
    "2027-03-27T01:30",
    "2027-03-28T01:00",
    "2027-03-29T00:30",
  ]);
  expect(timeIn(BERLIN, at("2027-03-28T01:00:00Z"))).toBe("Sun 2027-03-28 03:00");
  expect(next("0 * * * *", "2027-03-27T23:30:00Z", 3)).toEqual([
    "2027-03-28T00:00",
    "2027-03-28T01:00",
    "2027-03-28T02:00",
  ]);
});

test("an hour that is doubled in autumn is one time of the day, and two hours", () => {
  expect(next("30 2 * * *", "2027-10-30T12:00:00Z", 2)).toEqual(["2027-10-31T00:30", "2027-11-01T01:30"]);
  expect(next("30 * * * *", "2027-10-30T23:45:00Z", 3)).toEqual([
    "2027-10-31T00:30",
    "2027-10-31T01:30",
    "2027-10-31T02:30",
  ]);
});

test("a zone's own time is kept over a change of the clocks, and another zone's is another time", () => {
  expect(next("0 9 * * *", "2027-03-27T00:00:00Z", 2)).toEqual(["2027-03-27T08:00", "2027-03-28T07:00"]);
  expect(next("0 9 * * *", "2027-03-27T00:00:00Z", 2, "UTC")).toEqual(["2027-03-27T09:00", "2027-03-28T09:00"]);
});

test("what was due in a span is counted, and the latest is told, however many there were", () => {
  const hourly = { cron: "0 * * * *", zone: BERLIN };
  expect(dueBetween(hourly, at("2027-01-01T10:00:00Z"), at("2027-01-01T10:59:59Z"))).toBeNull();
  expect(dueBetween(hourly, at("2027-01-01T10:00:00Z"), at("2027-01-01T11:00:00Z"))).toEqual({
    last: at("2027-01-01T11:00:00Z"),
    before: null,
    count: 1,
  });
  expect(dueBetween(hourly, at("2027-01-01T10:00:00Z"), at("2027-01-01T14:30:00Z"))).toEqual({
    last: at("2027-01-01T14:00:00Z"),
    before: at("2027-01-01T13:00:00Z"),
    count: 4,
  });
  const years = dueBetween(hourly, at("2027-01-01T10:00:00Z"), at("2029-01-01T10:30:00Z"));
  expect(years).toEqual({
    last: at("2029-01-01T10:00:00Z"),
    before: at("2029-01-01T09:00:00Z"),
    count: 1000,
  });
});
