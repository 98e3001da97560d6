import { expect, test } from "vitest";
import { HELP, schedulesText, slashCommand, statusText } from "../../src/supervisor/slash-commands.ts";
import { mint } from "../../src/ipc/ids.ts";

test.for([
  ["/stop", "stop"],
  [" /STOP \n", "stop"],
  ["/new", "new"],
  ["/help", "help"],
  ["/start", "help"],
  ["/start ab12cd34", "help"],
  ["/status", "status"],
  ["/status@wirken_bot", "status"],
  ["/schedules", "schedules"],
  ["/compact", "compact"],
  ["/model", "model"],
  ["/schedule", null],
  ["please /stop", null],
  ["/stop now", null],
  ["/constructor", null],
  ["stop", null],
  ["", null],
] as const)("%j is the command %s", ([words, command]) => {
  expect(slashCommand(words)).toBe(command);
});

const FORCE = {
  agent: "default",
  provider: "local",
  model: "m",
  rounds: 20,
  outputTokens: 1_000,
  setupBytes: 100,
  local: true,
  turnMs: 1,
  policy: "p",
  settings: "s",
  tools: new Set<string>(),
} as const;

test("the status says what goes on: a turn, what waits, who halted it and what is scheduled", () => {
  const quiet = {
    force: FORCE,
    running: false,
    waiting: 0,
    approvals: 0,
    halted: false,
    schedules: 0,
    context: { used: 1_234, window: 8_192 },
    cost: { tokens: 5_000, microDollars: 12_300 },
    labels: { untrusted: false, private: false },
  };
  expect(statusText(quiet).split("\n")).toEqual([
    "agent default, local/m",
    "nothing runs here",
    "context: about 1,234 of 8,192 tokens (16 %)",
    "this conversation used 5,000 tokens, $0.01",
    "it holds nothing from outside, and nothing that is somebody's own",
    "nothing is scheduled for you",
  ]);
  const busy = {
    ...quiet,
    running: true,
    waiting: 2,
    approvals: 1,
    halted: true,
    schedules: 1,
    cost: { tokens: 5_000, microDollars: null },
    labels: { untrusted: true, private: true },
  };
  expect(statusText(busy).split("\n").slice(1)).toEqual([
    "halted by the owner: what you write is recorded, and nothing is done about it",
    "working on something: /stop ends it",
    "2 messages wait",
    "1 request of yours waits for an approval",
    "context: about 1,234 of 8,192 tokens (16 %)",
    "this conversation used 5,000 tokens, some of a model without a price",
    "it holds something from outside and something that is somebody's own: what would leave it is asked about",
    "1 schedule of yours: /schedules",
  ]);
});

test("schedules are told in the time of their zone, whole", () => {
  const schedule = mint("schedule");
  const one = {
    schedule,
    agent: "default",
    principal: "p",
    owner: "Ada",
    channel: "telegram",
    talk: "direct",
    cron: "0 9 * * 1-5",
    zone: "Europe/Berlin",
    text: "Read my notes",
    paused: null,
    running: false,
    failures: 0,
    next: ["2027-03-29T07:00:00.000Z"],
    last: { at: "2027-03-26T08:00:00.000Z", ending: "done" },
  } as const;
  expect(schedulesText([{ ...one, next: [...one.next] }])).toBe(
    `0 9 * * 1-5 (Europe/Berlin), next Mon 2027-03-29 09:00\nRead my notes\nlast Fri 2027-03-26 09:00: done\n${schedule}`,
  );
  expect(schedulesText([{ ...one, next: [], paused: "failures", last: null }])).toContain(
    "paused, because it failed too often\nRead my notes\nnot done yet",
  );
  expect(schedulesText([])).toBe("Nothing is scheduled for you here.");
  for (const command of ["/stop", "/new", "/status", "/schedules"]) expect(HELP).toContain(command);
});
