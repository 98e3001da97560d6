import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { AdapterChannel } from "../../src/ipc/channel.ts";
import { mint, Name, type PrincipalId } from "../../src/ipc/ids.ts";
import { ScheduleDesk } from "../../src/supervisor/schedule-desk.ts";
import { type Run, Schedules } from "../../src/supervisor/schedules.ts";
import type { By } from "../../src/supervisor/people.ts";
import { newWorld, type World } from "./world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** A Monday, at six in the evening in Berlin. */
const BEGIN = Date.parse("2027-03-01T17:00:00.000Z");

let world: World;
let now: number;
let owner: PrincipalId;
let who: By;
let conversation: string;
let schedules: Schedules;
let desk: ScheduleDesk;
let halted: boolean;
/** How the next runs end; one that is not told yet goes on. */
let endings: ("done" | "failed" | "stopped" | "halted" | null)[];
const begun: Run[] = [];
const told: string[] = [];
let ends: (() => Promise<void>)[];

beforeEach(async () => {
  vi.useFakeTimers({ now: BEGIN, toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  world = await newWorld();
  now = BEGIN;
  halted = false;
  endings = [];
  ends = [];
  begun.length = 0;
  told.length = 0;
  owner = (await world.people.ensureOwner("account")).principal;
  who = { by: owner, via: "terminal" };
  conversation = mint("conversation");
  await world.log.append(
    { kind: "conversation.opened", conversation, channel: "web", talk: "direct" },
    { cause: null, content: { place: "default\n" } },
  );
  engine();
});

/** As a start makes them. */
function engine(): void {
  const { log, state, people } = world;
  schedules = new Schedules({
    log,
    state,
    now: () => now,
    begin: async (run) => {
      await turn(run);
      return { ended: Promise.resolve() };
    },
    halted: () => halted,
    tell: async (_, sentence) => {
      told.push(sentence);
      await Promise.resolve();
    },
    line: (sentence) => told.push(sentence),
  });
  desk = new ScheduleDesk({
    log,
    state,
    people,
    schedules,
    knowsAgent: (agent) => agent === "default",
    local: async () => await Promise.resolve(conversation),
    contentKey: async () => await Promise.resolve(),
    now: () => now,
  });
  onTestFinished(async () => await schedules.stop());
}

/** The rows that a run and its turn leave. */
async function turn(run: Run): Promise<void> {
  begun.push(run);
  const [message, id, session] = [mint("message"), mint("turn"), mint("session")];
  const { schedule, agent, principal, channel, seq } = run.schedule;
  const started = await world.log.append(
    {
      kind: "schedule.started",
      schedule,
      message,
      session,
      conversation: run.schedule.conversation,
      channel,
      principal,
      due: run.due,
      why: run.why,
    },
    { cause: seq, content: { text: run.text } },
  );
  const digest = "0".repeat(64);
  const { seq: cause } = await world.log.append(
    { kind: "turn.started", turn: id, session, agent, principal, message, policy: digest, settings: digest },
    { cause: started.seq },
  );
  const end = async (reason: "done" | "failed" | "stopped" | "halted"): Promise<void> => {
    await world.log.append({ kind: "turn.ended", turn: id, session, reason, rounds: 1 }, { cause });
  };
  const ending = endings.shift();
  if (ending === undefined) await end("done");
  else if (ending !== null) await end(ending);
  else ends.push(async () => await end("done"));
}

/** The clock goes on, or is set. */
async function at(time: number): Promise<void> {
  now = time;
  vi.setSystemTime(time);
  await schedules.look();
  await schedules.look();
}

async function planned(words: string, zone = "Europe/Berlin"): Promise<string> {
  schedules.start();
  const given = { principal: owner, agent: "default", text: "say good evening", conversation, channel: "web" } as const;
  return (await desk.add({ ...given, words, zone }, who, null)).schedule;
}

const missed = (): { due: string; times: number; reason: string }[] =>
  world.log
    .rows({ kind: "schedule.missed", after: -1 })
    .flatMap(({ action }) =>
      action.kind === "schedule.missed" ? [{ due: action.due, times: action.times, reason: action.reason }] : [],
    );

test("what is due is begun once at its time, with the row of its schedule as its cause", async () => {
  const schedule = await planned("every day at 18:30");
  await at(BEGIN + 29 * MINUTE);
  expect(begun).toEqual([]);
  await at(BEGIN + 30 * MINUTE);
  await at(BEGIN + 31 * MINUTE);
  expect(begun).toMatchObject([{ due: "2027-03-01T17:30:00.000Z", why: "due", text: "say good evening" }]);
  const [started] = world.log.rows({ kind: "schedule.started", after: -1 });
  expect(world.log.row(started?.cause ?? -1)?.action).toMatchObject({ kind: "schedule.added", schedule });
  expect(desk.of(owner)).toMatchObject([
    { next: ["2027-03-02T17:30:00.000Z", "2027-03-03T17:30:00.000Z", "2027-03-04T17:30:00.000Z"], failures: 0 },
  ]);
  expect(world.state.schedule(schedule)).toMatchObject({ ending: "done", running: false });
});

test("a run that was missed by less than an hour is made up for once, and an older one is recorded as missed", async () => {
  await planned("every day at 18:30");
  await at(BEGIN + 30 * MINUTE + HOUR - 1);
  expect(begun).toMatchObject([{ due: "2027-03-01T17:30:00.000Z", why: "late" }]);
  await at(BEGIN + 24 * HOUR + 30 * MINUTE + HOUR + 1);
  expect(begun).toHaveLength(1);
  expect(missed()).toEqual([{ due: "2027-03-02T17:30:00.000Z", times: 1, reason: "late" }]);
});

test("of many that were missed while the machine slept the last is made up for, and the others are counted", async () => {
  await planned("every hour");
  await at(BEGIN + 8 * HOUR + 10 * MINUTE);
  expect(begun).toMatchObject([{ due: "2027-03-02T01:00:00.000Z", why: "late" }]);
  expect(missed()).toEqual([{ due: "2027-03-02T00:00:00.000Z", times: 7, reason: "late" }]);
});

test("what was missed while the daemon was stopped is found at the next start", async () => {
  await planned("every day at 18:30");
  await schedules.stop();
  await world.close();
  now = BEGIN + 40 * MINUTE;
  vi.setSystemTime(now);
  await world.open();
  engine();
  schedules.start();
  await schedules.look();
  expect(begun).toMatchObject([{ due: "2027-03-01T17:30:00.000Z", why: "late" }]);
  // And not again at the start after that, from the rows alone.
  await schedules.stop();
  await world.close();
  await world.open("another.db");
  engine();
  schedules.start();
  await schedules.look();
  expect(begun).toHaveLength(1);
});

test("never two at once: what is due while the run before it goes on is missed", async () => {
  await planned("every hour");
  endings = [null];
  await at(BEGIN + HOUR);
  await at(BEGIN + 2 * HOUR);
  expect(begun).toHaveLength(1);
  expect(missed()).toEqual([{ due: "2027-03-01T19:00:00.000Z", times: 1, reason: "running" }]);
  await ends[0]?.();
  await at(BEGIN + 3 * HOUR);
  expect(begun).toHaveLength(2);
});

test("three failures in a row pause it, and its owner is told; one that works begins the count anew", async () => {
  const schedule = await planned("every hour");
  endings = ["failed", "failed", "done", "failed", "stopped", "failed", "failed"];
  for (let hour = 1; hour <= 6; hour += 1) await at(BEGIN + hour * HOUR);
  expect(world.state.schedule(schedule)).toMatchObject({ paused: null, failures: 2 });
  await at(BEGIN + 7 * HOUR);
  expect(world.state.schedule(schedule)).toMatchObject({ paused: "failures" });
  expect(told).toEqual([expect.stringContaining("failed 3 times in a row and is paused")]);
  await at(BEGIN + 9 * HOUR);
  expect(begun).toHaveLength(7);
  expect(schedules.next(schedule, 3)).toEqual([]);
  await desk.answer(
    { call: "schedule.resume", schedule: world.state.schedules()[0]?.schedule ?? mint("schedule") },
    who,
  );
  await at(BEGIN + 10 * HOUR);
  expect(begun).toHaveLength(8);
});

test("what is halted is not begun, and is recorded as missed for that", async () => {
  await planned("every hour");
  halted = true;
  await at(BEGIN + HOUR);
  expect(begun).toEqual([]);
  expect(missed()).toMatchObject([{ reason: "halted" }]);
  halted = false;
  await at(BEGIN + HOUR + MINUTE);
  expect(begun, "and is not made up for").toEqual([]);
});

test("a clock that goes back a little does nothing twice, and one that was far ahead does not keep it from coming again", async () => {
  await planned("every hour");
  await at(BEGIN + HOUR);
  await at(BEGIN + 30 * MINUTE);
  await at(BEGIN + HOUR + 1);
  expect(begun).toHaveLength(1);
  await at(BEGIN + 10_000 * HOUR);
  expect(begun).toHaveLength(2);
  await at(BEGIN + 2 * HOUR + MINUTE);
  expect(begun).toHaveLength(2);
  await at(BEGIN + 3 * HOUR);
  expect(begun).toHaveLength(3);
  expect(begun.at(-1)).toMatchObject({ due: "2027-03-01T20:00:00.000Z", why: "due" });
});

test("over a change of the clocks it keeps to the time of its zone", async () => {
  await planned("30 2 * * *");
  await at(Date.parse("2027-03-28T00:59:00Z"));
  begun.length = 0;
  // At half past two there is no such time that night: it is done when the clocks have gone ahead.
  await at(Date.parse("2027-03-28T01:00:00Z"));
  await at(Date.parse("2027-03-28T02:00:00Z"));
  expect(begun.map(({ due }) => due)).toEqual(["2027-03-28T01:00:00.000Z"]);
  await at(Date.parse("2027-10-31T00:29:00Z"));
  begun.length = 0;
  // In autumn that time comes twice, and it is done the first time.
  for (const time of ["00:30", "01:00", "01:30", "02:30"]) await at(Date.parse(`2027-10-31T${time}:00Z`));
  expect(begun.map(({ due }) => due)).toEqual(["2027-10-31T00:30:00.000Z"]);
});

test("whoever is removed has theirs paused in the rows of that, and nothing of it goes on", async () => {
  const schedule = await planned("every hour");
  const rows = schedules.pauseOf(owner, who);
  expect(rows).toMatchObject([{ action: { kind: "schedule.paused", schedule, reason: "removed" } }]);
  for (const { action } of rows) if (action.kind === "schedule.paused") await world.log.append(action, { cause: null });
  await at(BEGIN + 2 * HOUR);
  expect(begun).toEqual([]);
});

test("it is done once when somebody asks for it, and its times stay as they are", async () => {
  const schedule = await planned("every day at 18:30");
  const id = world.state.schedules()[0]?.schedule ?? mint("schedule");
  await desk.answer({ call: "schedule.run", schedule: id }, who);
  expect(begun).toMatchObject([{ why: "asked" }]);
  await at(BEGIN + 30 * MINUTE);
  expect(begun).toHaveLength(2);
  const shown = await desk.answer({ call: "schedule.show", schedule: id }, who);
  expect(shown).toMatchObject({
    schedule,
    runs: [
      { what: "due", ending: "done" },
      { what: "asked", ending: "done" },
    ],
  });
  await desk.answer({ call: "schedule.remove", schedule: id }, who);
  await expect(desk.answer({ call: "schedule.run", schedule: id }, who)).rejects.toThrow("there is no schedule");
});

test("what says no times, is for an agent that is not there, or has nowhere to be answered is refused", async () => {
  await expect(planned("now and then")).rejects.toThrow("says no times");
  const call = { call: "schedule.add", times: "every hour", zone: "UTC", text: "x", principal: owner } as const;
  const there = { ...call, agent: Name.parse("nobody"), channel: "web" } as const;
  await expect(desk.answer(there, who)).rejects.toThrow("there is no agent nobody");
  const nowhere = { ...call, agent: Name.parse("default"), channel: AdapterChannel.parse("telegram") } as const;
  await expect(desk.answer(nowhere, who)).rejects.toThrow("account has not written to the bot on telegram yet");
});
