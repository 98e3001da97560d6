import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { sleepers } from "../support/sleeping-command.ts";
import { Spine, STRANGER } from "../support/spine.ts";

/** No other program sleeps so long: it is found by that. */
const SECONDS = "3151.25";

let spine: Spine;

beforeAll(async () => {
  spine = await Spine.start();
  spine.model.script(
    "tidy up",
    { calls: [{ name: "write_file", arguments: { path: "tidy.txt", content: "tidy" } }] },
    { text: "that is all" },
  );
  spine.model.script("sleep", {
    calls: [{ name: "exec", arguments: { argv: ["sleep", SECONDS], timeout_seconds: 300 } }],
  });
});
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

const Schedule = z.looseObject({ schedule: z.string(), paused: z.nullable(z.string()), failures: z.number() });

const People = z.looseObject({ people: z.array(z.looseObject({ name: z.string() })) });

async function wirken(...words: string[]): Promise<string> {
  const ran = await spine.daemon.wirken(words);
  expect(ran.status, ran.stderr).toBe(0);
  return ran.stdout;
}

async function plan(text: string, ...more: string[]): Promise<string> {
  const words = ["schedule", "add", "every day at 4", text, "--json", ...more];
  return Schedule.parse(JSON.parse(await wirken(...words))).schedule;
}

async function endings(): Promise<unknown[]> {
  return (await spine.rows("turn.ended")).map(({ fields }) => fields["reason"]);
}

test("the detector detects: what the owner writes is asked about", async () => {
  spine.write("tidy up");
  expect((await spine.asked()).key).toBe("file.write:workspace");
  await spine.quiet();
});

test("a run is refused what would be asked, without a question, and is answered where it was planned", async () => {
  const [asked, ended] = [(await spine.rows("approval.requested")).length, (await endings()).length];
  const schedule = await plan("tidy up", "--to", "telegram");
  await wirken("schedule", "run", schedule);
  await spine.eventually("the end of the run", async () => (await endings()).length > ended);
  await spine.shown("that is all");
  expect(await spine.rows("approval.requested")).toHaveLength(asked);
  const refused = (await spine.rows("tool.refused")).at(-1);
  expect(refused).toMatchObject({ fields: { reason: "policy" } });
  expect(refused?.content["why"]).toContain("nobody is there to ask in a run by schedule (tier 2");
  expect(await wirken("audit", "explain", String(refused?.seq))).toMatch(
    /had agent default do something at certain times.*\n(?:.*\n)*.*it was begun .* because somebody asked for it/,
  );
  expect(await wirken("schedule", "show", schedule)).toMatch(/asked for: done/);
});

test("what is remembered is done", async () => {
  const [owner] = People.parse(JSON.parse(await wirken("people", "list", "--json"))).people;
  await wirken("grants", "add", "file.write:workspace", "--as", `telegram:${owner?.name ?? ""}`);
  const schedule = await plan("tidy up", "--to", "telegram");
  const done = (await spine.rows("tool.finished")).length;
  await wirken("schedule", "run", schedule);
  await spine.eventually("the file written", async () => (await spine.rows("tool.finished")).length > done);
  expect((await spine.rows("tool.called")).at(-1)).toMatchObject({
    fields: { key: "file.write:workspace", authority: "grant" },
  });
});

test("a run is stopped from its conversation, which is no failure, and none begins while it is halted", async () => {
  const schedule = await plan("sleep", "--to", "telegram");
  await wirken("schedule", "run", schedule);
  await spine.eventually("the command running", () => sleepers(SECONDS) === 1);
  const again = await spine.daemon.wirken(["schedule", "run", schedule]);
  expect(again.stderr).toContain("it was not begun: it runs already");
  spine.write("/stop");
  await spine.eventually("the command gone", () => sleepers(SECONDS) === 0);
  await spine.eventually("the end of the run", async () => (await endings()).includes("stopped"));
  expect(Schedule.parse(JSON.parse(await wirken("schedule", "show", schedule, "--json")))).toMatchObject({
    failures: 0,
    paused: null,
  });
  await wirken("halt", "--reason", "a drill");
  const halted = await spine.daemon.wirken(["schedule", "run", schedule]);
  expect(halted.stderr).toContain("it was not begun: the owner has halted it");
  await wirken("resume");
});

test("whoever is removed is a stranger with their next message, and what was planned for them is paused", async () => {
  spine.write("let me in", STRANGER);
  const { text } = await spine.shown("wirken pair approve", STRANGER);
  await wirken("pair", "approve", /approve (\w{8})/.exec(text)?.[1] ?? "", "--as", "Kim");
  const received = (await spine.rows("message.received")).length;
  spine.write("hello", STRANGER);
  await spine.shown("you said: hello", STRANGER);
  const schedule = await plan("tidy up", "--as", "telegram:Kim");
  const removed = await wirken("people", "remove", "Kim");
  expect(removed).toMatch(/^removed: Kim \(p_\w+\), row #\d+\n1 schedule is paused\n/);
  const codes = (): number =>
    spine.shownTo(STRANGER).filter(({ text: told }) => told.includes("wirken pair approve")).length;
  expect(codes()).toBe(1);
  spine.write("and now?", STRANGER);
  await spine.eventually("what a stranger is told", () => codes() === 2);
  expect(await spine.rows("message.received")).toHaveLength(received + 1);
  expect(Schedule.parse(JSON.parse(await wirken("schedule", "show", schedule, "--json"))).paused).toBe("removed");
  const resumed = await spine.daemon.wirken(["schedule", "resume", schedule]);
  expect([resumed.status, resumed.stderr]).toEqual([4, expect.stringContaining("wirken people transfer p_")]);
  expect((await spine.verified()).stdout).toContain("whole and in order");
});
