import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { rounds, seeded } from "../support/claims-random.ts";
import type { Said } from "../support/scripted-model.ts";
import { OWNER, Spine } from "../support/spine.ts";

/** Turns with a model, files that are written, commands that run and answers that leave: the whole daemon is killed at any instant of them, and its agent
 *  and model processes alone. Each command leaves a mark, so that what ran twice can be seen. */

const KILLS = rounds(3, 50);
const SEED = 20_261_129;
/** A kill falls at most so long after a message was written, in milliseconds: a turn takes about as long. */
const LATEST_MS = 900;

/** Whole daemons start here and are killed: on a busy machine a start alone takes ten seconds. */
const PATIENCE_MS = 60_000;

let spine: Spine;
/** All that were written, oldest first. */
const marks: string[] = [];

/** Has the model write a file, run a command that leaves a mark, and answer. */
function script(mark: string, then = "true"): void {
  const steps: Said[] = [
    { calls: [{ name: "write_file", arguments: { path: `${mark}.txt`, content: mark } }] },
    { calls: [{ name: "exec", arguments: { argv: ["sh", "-c", `echo ${mark} >> marks; ${then}`], write: true } }] },
    { text: `Done with ${mark}.` },
  ];
  spine.model.script(mark, ...steps);
}

function write(mark: string, then?: string): void {
  script(mark, then);
  marks.push(mark);
  spine.write(`please do ${mark}`);
}

function ran(): string[] {
  const path = join(spine.workspace, "marks");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

const texts = (): string[] => spine.textsAt("telegram", { telegram: OWNER.id, slack: "" });
/** A message on Telegram that holds these words, once it is there. */
async function shown(words: string): Promise<{ readonly text: string }> {
  return await spine.eventually(
    `“${words}” shown`,
    () => spine.shownTo().find(({ text }) => text.includes(words)),
    PATIENCE_MS,
  );
}
const interrupted = (): string[] => texts().filter((text) => text.startsWith("I was interrupted"));

/** Of everything that was begun: what was begun, ran or was answered twice, and what was neither answered nor said to be cut short. */
async function faults(done: readonly string[]): Promise<string[]> {
  const started = await spine.rows("turn.started");
  const received = await spine.rows("message.received");
  const called = (await spine.rows("tool.called")).filter(({ fields }) => fields["tool"] === "exec");
  const said = texts().join("\n");
  const sent = await spine.rows("message.sent");
  const lost = new Set(
    [...(await spine.rows("action.interrupted")), ...(await spine.rows("message.failed"))].map(({ cause }) => cause),
  );
  // The daemon died with its answer on the way: what became of that the platform is asked, and the person told.
  const unsure = new Set(sent.filter(({ seq }) => lost.has(seq)).map(({ cause }) => cause));
  return marks.flatMap((mark) => {
    const ids = received.flatMap(({ content, fields }) =>
      content["text"] === `please do ${mark}` ? [fields["message"]] : [],
    );
    const begun = started.filter(({ fields }) => ids.includes(fields["message"]));
    const turns = new Set(begun.map(({ fields }) => fields["turn"]));
    const calls = called.filter(({ fields }) => turns.has(fields["turn"]));
    // What is said of a turn that was cut short is on the log together with its end.
    const noticed = begun.some(({ seq }) =>
      sent.some(({ cause, fields }) => cause === seq && fields["purpose"] === "notice"),
    );
    const cut = begun.some(({ seq }) => (CUT.has(String(ends.get(seq))) ? noticed : unsure.has(seq)));
    return [
      ...(ids.length === 1 ? [] : [`${mark} is on the log ${ids.length} times`]),
      ...(begun.length === 1 ? [] : [`${mark} was begun ${begun.length} times`]),
      ...(calls.length <= 1 ? [] : [`${mark} was called ${calls.length} times`]),
      ...(done.filter((one) => one === mark).length <= 1 ? [] : [`${mark} ran twice`]),
      ...(said.includes(`Done with ${mark}.`) || cut ? [] : [`nobody was told of ${mark}`]),
    ];
  });
}
const CUT: ReadonlySet<string> = new Set(["interrupted", "died"]);
/** How each turn ended, by the row that it began with. */
const ends = new Map<number, unknown>();
async function look(): Promise<void> {
  for (const { cause, fields } of await spine.rows("turn.ended")) if (cause !== null) ends.set(cause, fields["reason"]);
}

async function quiet(): Promise<void> {
  await spine.eventually(
    "every message's turn is over",
    async () => {
      const ended = (await spine.rows("turn.ended")).length;
      return (
        ended >= marks.length &&
        spine.telegram.pending === 0 &&
        (await spine.rows("message.received")).length >= marks.length
      );
    },
    PATIENCE_MS * 2,
  );
  await look();
}

async function pidOf(role: string): Promise<number> {
  return await spine.eventually(
    `a process: ${role}`,
    async () => (await spine.status()).processes.find((one) => one.role === role)?.pid,
  );
}

beforeAll(async () => {
  spine = await Spine.start();
  write("first");
  for (const _ of ["the file", "the command"]) await spine.approve(await spine.asked(), "always");
  await shown("Done with first.");
  await quiet();
}, 120_000);
afterAll(async () => {
  await spine[Symbol.asyncDispose]();
});

test("the detector detects what ran twice, and what nobody was told of", async () => {
  expect(ran()).toEqual(["first"]);
  expect(await faults(ran())).toEqual([]);
  expect(await faults(["first", "first"])).toEqual(["first ran twice"]);
  marks.push("never");
  expect(await faults(ran())).toEqual([
    "never is on the log 0 times",
    "never was begun 0 times",
    "nobody was told of never",
  ]);
  marks.pop();
});

test("a command that runs when the whole daemon is killed may have run: its person is told that, of which, and it is not run again", async () => {
  write("slow", "sleep 3600");
  await spine.eventually("the command runs", () => ran().includes("slow"), PATIENCE_MS);
  await spine.restart("SIGKILL");
  const told = await shown("I was interrupted");
  expect(told.text).toContain("the command “sh -c echo slow >> marks; sleep 3600” may have run");
  // The file was written before, and it is known that it was.
  expect(told.text).toContain("This came to its end: the file “slow.txt”.");
  expect(told.text).toContain("Nothing is repeated.");
  await quiet();
  expect(ran().filter((mark) => mark === "slow")).toHaveLength(1);
});

test("an agent's process that dies alone ends its turn with what is known, its command with it, and the next turn is another's", async () => {
  const before = interrupted().length;
  write("orphan", "sleep 3600");
  await spine.eventually("the command runs", () => ran().includes("orphan"), PATIENCE_MS);
  process.kill(await pidOf("agent"), "SIGKILL");
  const told = await spine.eventually("it is told", () => interrupted()[before], PATIENCE_MS);
  expect(told).toContain("my process ended unexpectedly");
  expect(told).toContain("the command “sh -c echo orphan >> marks; sleep 3600” (stopped)");
  write("after");
  await shown("Done with after.");
  await quiet();
  expect(ran().filter((mark) => mark === "orphan")).toHaveLength(1);
});

test("an agent that hangs is ended when its turn has lasted as long as it may, and that is said", async () => {
  const configured = (await spine.rows("agent.configured")).length;
  spine.changeConfig((config) => ({
    ...config,
    agents: { default: { ...config.agents["default"], turnMinutes: 0.1 } },
  }));
  await spine.eventually("it is in force", async () => (await spine.rows("agent.configured")).length > configured);
  const held = Promise.withResolvers<void>();
  spine.model.script("hanging", { text: "Done with hanging.", after: held.promise });
  marks.push("hanging");
  spine.write("please do hanging");
  const begun = spine.model.begun;
  await spine.eventually("the model is asked", () => spine.model.begun > begun, PATIENCE_MS);
  const agent = await pidOf("agent");
  process.kill(agent, "SIGSTOP");
  held.resolve();
  await shown("this turn took longer than it may");
  await spine.eventually("its process is gone", async () =>
    (await spine.status()).processes.every(({ pid }) => pid !== agent),
  );
  await quiet();
  expect((await spine.rows("turn.ended")).at(-1)?.fields["reason"]).toBe("time");
  marks.pop();
  spine.changeConfig((config) => ({ ...config, agents: { default: { model: "scripted/test-model" } } }));
});

test("a model's process that dies before it said anything is asked once more, and the turn goes on", async () => {
  const held = Promise.withResolvers<void>();
  spine.model.script("remodel", { text: "Done with remodel.", after: held.promise });
  marks.push("remodel");
  const begun = spine.model.begun;
  spine.write("please do remodel");
  await spine.eventually("the model is asked", () => spine.model.begun > begun, PATIENCE_MS);
  process.kill(await pidOf("model"), "SIGKILL");
  held.resolve();
  await shown("Done with remodel.");
  await quiet();
  expect(spine.model.begun).toBe(begun + 2);
});

test(`${KILLS} kills of the whole daemon at any instant of a turn: nothing runs twice, and of each turn its person hears`, {
  timeout: 60_000 + KILLS * 30_000,
}, async () => {
  const random = seeded(SEED);
  for (let kill = 0; kill < KILLS; kill++) {
    const [after, second] = [random() * LATEST_MS, random() < 0.3];
    write(`kill-${kill}`);
    if (second) write(`kill-${kill}-too`);
    await delay(after);
    await spine.restart("SIGKILL");
  }
  await quiet();
  // The last answer may still be on its way.
  await expect.poll(async () => await faults(ran()), { timeout: PATIENCE_MS }).toEqual([]);
  const cut = [...ends.values()].filter((reason) => CUT.has(String(reason))).length;
  await spine.eventually("each is told", () => interrupted().length >= cut, PATIENCE_MS);
  expect((await spine.verified()).status).toBe(0);
});
