import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod/mini";
import { KINDS } from "../../audit/action.ts";
import { Speaker } from "../../scripts/bench/speaker.ts";
import { openRows, rowsOf } from "../support/claims-log.ts";
import { rounds, seeded } from "../support/claims-random.ts";
import {
  answered,
  approveNext,
  auditOf,
  connected,
  enrolTelegram,
  OWNER,
  processesWith,
  spawnProtected,
  startProtected,
  until,
  verifies,
  workspaceOf,
} from "../support/claims-world.ts";
import { newHome, TestDaemon } from "../support/daemon.ts";
import { TelegramServer } from "../support/telegram-server.ts";

/** The daemon is killed at random instants, starts included, while a person writes; real files, a real adapter, a platform that forgets what it
 *  was told is taken. Each message has a command that leaves a mark in the workspace, so that what ran twice can be seen. */

const ROUNDS = rounds(6, 200);
const SEED = 20_261_123;
/** A kill falls at most so long after a start, or after the bot is connected, in milliseconds. */
const LATEST_MS = 1_200;

const home = newHome();
let telegram: TelegramServer;
let daemon: TestDaemon;
/** What the person wrote, with the number of its update: the platform counts from here. */
const written: { readonly mark: string; readonly update: number }[] = [];
let updates = 1_000;

const start = async (): Promise<TestDaemon> => await startProtected({ home });

function write(text: string): number {
  telegram.direct(text, OWNER);
  updates += 1;
  return updates;
}

function writeMark(mark: string, then = "true"): void {
  written.push({ mark, update: write(`run with write access sh -c 'echo ${mark} >> marks; ${then}'`) });
}

beforeAll(async () => {
  telegram = await TelegramServer.start();
  daemon = await startProtected({ home, config: { channels: { telegram: { apiRoot: telegram.apiRoot } } } });
  await enrolTelegram(daemon, telegram);
  updates += 1;
  writeMark("first");
  await approveNext(daemon, "always");
  await answered(telegram, (text) => text.startsWith("I asked for"));
});

afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  await telegram[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const Offset = z.object({ offset: z.int() });
/** The first update that the platform was not told is taken. */
function acknowledged(): number {
  return telegram.calls
    .filter(({ method }) => method === "getUpdates")
    .map(({ parameters }) => Offset.safeParse(parameters).data?.offset ?? 0)
    .reduce((highest, offset) => Math.max(highest, offset), 0);
}

/** The marks that commands left, in order. */
function marks(): string[] {
  const path = join(workspaceOf(daemon), "marks");
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

const LoggedRow = z.object({
  cause: z.nullable(z.int()),
  seq: z.int(),
  fields: z.record(z.string(), z.unknown()),
  content: z.record(z.string(), z.nullable(z.string())),
});
type Row = z.infer<typeof LoggedRow>;

/** All rows of a kind, with their content. */
async function logged(kind: string): Promise<Row[]> {
  const all: Row[] = [];
  for (;;) {
    const after = String(all.at(-1)?.seq ?? 0);
    const ran = await daemon.wirken(["audit", "log", "--json", "--kind", kind, "--limit", "1000", "--after", after]);
    const rows = ran.stdout.split("\n").flatMap((line) => (line === "" ? [] : [LoggedRow.parse(JSON.parse(line))]));
    if (rows.length === 0) return all;
    all.push(...rows);
  }
}

interface Evidence {
  /** Marks of the messages that the platform was told are taken. */
  readonly acknowledged: readonly string[];
  /** The mark of each message on the log. */
  readonly received: readonly string[];
  /** The marks of those whose turn began, and of those whose turn ended well. */
  readonly begun: readonly string[];
  readonly done: readonly string[];
  readonly marks: readonly string[];
  readonly replies: readonly string[];
}

const times = (list: readonly string[], mark: string): number => list.filter((one) => one === mark).length;

/** What is lost, doubled or repeated. */
function faults(evidence: Evidence): string[] {
  const every = new Set(Object.values(evidence).flat());
  return [...every].flatMap((mark) => [
    ...(times(evidence.acknowledged, mark) > 0 && times(evidence.received, mark) === 0 ? [`${mark} is lost`] : []),
    ...(times(evidence.received, mark) > 1 ? [`${mark} is on the log twice`] : []),
    ...(times(evidence.begun, mark) > 1 ? [`${mark} was begun twice`] : []),
    ...(times(evidence.marks, mark) > 1 ? [`${mark} ran twice`] : []),
    ...(times(evidence.done, mark) > 0 && times(evidence.marks, mark) === 0 ? [`${mark} is done and did not run`] : []),
    ...(times(evidence.replies, mark) > 1 ? [`${mark} was answered twice`] : []),
  ]);
}

const markOf = (text: string | null | undefined): string[] => /echo (\S+) >> marks/.exec(text ?? "")?.slice(1, 2) ?? [];

async function gather(): Promise<Evidence> {
  const received = await logged("message.received");
  const started = await logged("turn.started");
  const ended = await logged("turn.ended");
  const taken = acknowledged();
  const marksOf = (messages: readonly unknown[]): string[] =>
    messages.flatMap((id) => markOf(received.find(({ fields }) => fields["message"] === id)?.content["text"]));
  const done = ended.filter(({ fields }) => fields["reason"] === "done");
  return {
    acknowledged: written.filter(({ update }) => update < taken).map(({ mark }) => mark),
    received: received.flatMap(({ content }) => markOf(content["text"])),
    begun: marksOf(started.map(({ fields }) => fields["message"])),
    done: marksOf(done.map(({ cause }) => started.find(({ seq }) => seq === cause)?.fields["message"])),
    marks: marks(),
    // Not the card that asked for leave.
    replies: telegram.shown.flatMap(({ text }) => (text.startsWith("I asked for") ? markOf(text) : [])),
  };
}

const intents = Object.entries(KINDS).flatMap(([kind, spec]) => ("outcomes" in spec ? [kind] : []));

test("the detector detects what is lost, doubled, repeated, or not done", async () => {
  const real = await gather();
  expect(faults(real)).toEqual([]);
  expect(real).toEqual({
    acknowledged: real.acknowledged,
    received: ["first"],
    begun: ["first"],
    done: ["first"],
    marks: ["first"],
    replies: ["first"],
  });
  expect(faults({ ...real, acknowledged: ["first"], received: [] })).toEqual(["first is lost"]);
  expect(faults({ ...real, received: ["first", "first"] })).toEqual(["first is on the log twice"]);
  expect(faults({ ...real, begun: ["first", "first"] })).toEqual(["first was begun twice"]);
  expect(faults({ ...real, marks: ["first", "first"] })).toEqual(["first ran twice"]);
  expect(faults({ ...real, marks: [] })).toEqual(["first is done and did not run"]);
});

test("a command that runs when the daemon is killed ends with it, is reported, and is not run again", async () => {
  const sleep = `7200.${process.pid}`;
  writeMark("slow", `sleep ${sleep}`);
  await until(() => marks().includes("slow"), "the command runs");
  await until(() => processesWith(sleep).length > 0, "it is seen");
  const [called] = openRows(auditOf(daemon), "tool.called");
  expect(called).toBeDefined();
  await daemon.end("SIGKILL");
  await until(() => processesWith(sleep).length === 0, "no process of it is left", 2_000);

  daemon = await start();
  expect(rowsOf(auditOf(daemon))).toContainEqual(
    expect.objectContaining({ $kind: "action.interrupted", $cause: called?.$seq }),
  );
  await answered(telegram, (text) => text.startsWith("I was interrupted"));
  expect(faults(await gather())).toEqual([]);
  expect(marks().filter((mark) => mark === "slow")).toHaveLength(1);
});

test(`${ROUNDS} kills lose nothing that was taken from the platform, and repeat nothing`, {
  timeout: ROUNDS * 30_000,
}, async () => {
  const random = seeded(SEED);
  const taken: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startsUp = random() < 0.4;
    const after = random() * LATEST_MS;
    const pauses = Array.from({ length: 4 }, () => random() * 200);
    await daemon.end("SIGKILL");
    // What the platform was told is taken is on the log, whatever else the kill fell into.
    const rows = rowsOf(auditOf(daemon)).filter(({ $kind }) => $kind === "message.received").length;
    taken.push(written.filter(({ update }) => update < acknowledged()).length - rows);
    writeMark(`r${round}-waits`);
    daemon = spawnProtected({ home });
    if (startsUp) {
      await delay(after);
      continue;
    }
    await daemon.until(() => daemon.stdout.includes("ready in "), 30_000, "ready");
    await connected(daemon);
    const killAt = performance.now() + after;
    for (const [i, pause] of pauses.entries()) {
      writeMark(`r${round}-${i}`);
      await delay(pause);
    }
    await delay(Math.max(0, killAt - performance.now()));
  }
  expect(taken.filter((missing) => missing > 0)).toEqual([]);

  await daemon.end("SIGKILL");
  daemon = await start();
  await connected(daemon);
  await until(() => telegram.pending === 0, "the platform has nothing left to give", 30_000);
  const all = new Set(written.map(({ mark }) => mark));
  await until(
    async () => (await logged("turn.ended")).length >= all.size,
    "every turn has ended, one way or another",
    60_000 + ROUNDS * 1_000,
    500, // each look is a command
  );
  const found = await gather();
  expect(faults(found)).toEqual([]);
  expect(new Set(found.received)).toEqual(all);
  for (const kind of intents) expect(openRows(auditOf(daemon), kind), kind).toEqual([]);
  await verifies(daemon);
});

test("what is said while a daemon still starts is answered once, and is not taken for cut short", {
  timeout: 120_000,
}, async () => {
  await using started = TestDaemon.spawn({ config: {} });
  const [socket, token] = ["control.sock", "control.token"].map((name) => join(started.data, name));
  if (socket === undefined || token === undefined) throw new Error("two names have two places");
  await started.until(() => existsSync(socket) && existsSync(token), 60_000, "spoken to");
  using speaker = new Speaker(socket, readFileSync(token));
  // Said again and again until there is somebody to take it.
  const taken = async (): Promise<boolean> =>
    await speaker.say("default", "hello").then(
      () => true,
      () => false,
    );
  while (!(await taken())) await delay(2);
  await started.until(() => started.stdout.includes("ready in "), 60_000, "ready");
  expect((await started.wirken(["ask", "hello"])).status).toBe(0);
  const { stdout } = await started.wirken(["audit", "log", "--kind", "turn.", "--limit", "1000", "--json"]);
  const rows = stdout.trim().split("\n");
  const ends = rows.filter((row) => row.includes('"turn.ended"'));
  expect(ends.length).toBe(rows.filter((row) => row.includes('"turn.started"')).length);
  expect(ends.filter((row) => row.includes("interrupted"))).toEqual([]);
});
