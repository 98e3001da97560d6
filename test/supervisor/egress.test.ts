import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import type { Holder } from "../../src/supervisor/egress-lane.ts";
import type { Asked, Upstream } from "../../src/supervisor/egress-process.ts";
import { Egress } from "../../src/supervisor/egress.ts";
import { type Kept, Processes } from "../../src/supervisor/processes.ts";
import type { Reach, ReachEntry } from "../../src/supervisor/reach-list.ts";
import { childImage } from "../support/confined.ts";
import { Talk } from "../support/frames.ts";
import { soon } from "../support/soon.ts";
import { DataFolder, World } from "../vault/world.ts";

const folder = new DataFolder();
let world: World;
beforeAll(async () => {
  world = await World.open(folder);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

function entry(host: string): ReachEntry {
  const to: LaneEntry = { to: "host", host, port: 443, tls: true, private: false };
  return { entry: to, source: "channel", from: "shipped with the test" };
}

/** What test/support/children/lane-ends.ts answers on a lane. */
interface Answer {
  readonly lane: number;
  readonly list: string;
  readonly pid: number;
  readonly proxy: unknown;
  readonly secret: string;
}

class Bench {
  readonly egress: Egress;
  readonly processes: Processes;
  readonly asked: Asked[] = [];
  upstream: Upstream = { proxy: null, credential: null };

  constructor(image = childImage("lane-ends")) {
    this.egress = new Egress({
      processes: () => this.processes,
      upstream: () => this.upstream,
      cause: null,
      asked: (asked) => this.asked.push(asked),
    });
    this.processes = new Processes({
      log: world.log,
      vault: () => world.vault,
      line: () => undefined,
      lanes: this.egress,
      certificates: () => null,
      image,
    });
    onTestFinished(async () => await this.egress.close());
  }

  /** A process that is kept, with a lane where it has a list. */
  keep(subject: string, reach?: () => Reach): Process {
    return new Process(this.processes, subject, reach);
  }

  /** Its egress processes, by number. */
  get running(): { pid: number; restarts: number; state: string }[] {
    return this.processes.list().filter(({ role }) => role === "egress");
  }
}

class Process {
  readonly kept: Kept<Talk>;
  #heard: (text: string) => void = () => undefined;
  readonly #processes: Processes;
  readonly #subject: string;

  constructor(processes: Processes, subject: string, reach?: () => Reach) {
    this.#processes = processes;
    this.#subject = subject;
    this.kept = processes.keep<Talk, Talk>({
      role: "model",
      args: [],
      subject,
      accepts: Talk,
      stop: { type: "stop" },
      secret: () => ({ type: "bye" }),
      cause: null,
      ...(reach === undefined ? {} : { reach }),
      secrets: () => [],
      started: () => Promise.resolve(),
      hear: (header, payload) => {
        if (header.type === "say") this.#heard(Buffer.from(payload).toString());
      },
      down: () => undefined,
    });
    onTestFinished(async () => await this.kept.stop());
  }

  async say(text: string): Promise<string> {
    await this.kept.whenReady(15_000);
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#heard = resolve;
    await this.kept.send({ type: "say", ref: 1 }, Buffer.from(text));
    return await promise;
  }

  async ask(text = "hello"): Promise<Answer> {
    // What the child of these tests answers is of this shape.
    const answer: Answer = JSON.parse(await this.say(text));
    return answer;
  }

  get listed(): { pid: number; restarts: number; state: string } | undefined {
    return this.#processes.list().find(({ subject }) => subject === this.#subject);
  }
}

/** Somebody who takes a lane and starts no process. */
function nobody(lost: () => void = () => undefined): Holder {
  return { role: "model", subject: "nobody", reach: () => [entry("one.example")], lost };
}

describe("a process that is to reach something", () => {
  test("has one lane, bound to its own list; one that is not has none", async () => {
    const bench = new Bench();
    const one = bench.keep("one", () => [entry("one.example")]);
    const other = bench.keep("other", () => [entry("other.example"), entry("third.example")]);
    const none = bench.keep("none");
    const [first, second] = [await one.ask(), await other.ask()];
    expect(JSON.parse(first.list)).toEqual([entry("one.example").entry]);
    expect(JSON.parse(second.list)).toEqual([entry("other.example").entry, entry("third.example").entry]);
    expect(first.pid).toBe(second.pid);
    expect(first.lane).not.toBe(second.lane);
    expect((await one.say("descriptors")).split(" ")).toContain("4");
    expect((await none.say("descriptors")).split(" ")).not.toContain("4");
    expect(bench.running).toHaveLength(1);
  });

  test("gets another lane when it is started again, never one that somebody had", async () => {
    const bench = new Bench();
    const one = bench.keep("one", () => [entry("one.example")]);
    const before = await one.ask();
    await one.kept.send({ type: "bye" });
    await soon(() => expect(one.listed?.restarts).toBe(1));
    const after = await one.ask();
    expect(after.lane).toBeGreaterThan(before.lane);
  });

  test("is bound to its new list without being started again", async () => {
    const bench = new Bench();
    let host = "one.example";
    const one = bench.keep("one", () => [entry(host)]);
    const before = await one.ask();
    const pid = one.listed?.pid;
    host = "two.example";
    await bench.egress.rebind();
    const after = await one.ask();
    expect(JSON.parse(after.list)).toEqual([entry("two.example").entry]);
    expect(after.lane).toBe(before.lane);
    expect(one.listed?.pid).toBe(pid);
  });

  test("is not started where there is no egress process, and a check says why it could not ask", async () => {
    const bench = new Bench({ command: "/nowhere/wirken", args: [] });
    const one = bench.keep("one", () => [entry("one.example")]);
    await expect(one.kept.whenReady(500)).rejects.toMatchObject({ code: "COMPARTMENT_LATE" });
    expect(one.listed).toBeUndefined();
    const checked = await bench.processes.check<Talk, Talk>({
      role: "model",
      args: [],
      subject: "one",
      accepts: Talk,
      stop: { type: "stop" },
      secret: () => ({ type: "bye" }),
      candidate: [],
      start: { type: "bye" },
      timeoutMs: 60_000,
      cause: null,
      reach: () => [entry("one.example")],
    });
    expect(checked).toEqual({
      result: "unreachable",
      account: null,
      sentence: "the egress process does not start, so nothing is reached",
    });
  }, 40_000);
});

describe("an egress process", () => {
  test("that dies takes nobody with it for long: whoever had a lane is started again, and has one of the next", async () => {
    const bench = new Bench();
    const one = bench.keep("one", () => [entry("one.example")]);
    const none = bench.keep("none");
    const first = await one.ask();
    const bystander = (await none.say("descriptors"), none.listed?.pid);
    for (const round of [1, 2, 3]) {
      await one.kept.send({ type: "say", ref: 1 }, Buffer.from("die"));
      await soon(() => expect(one.listed).toMatchObject({ restarts: round, state: "ready" }));
    }
    const last = await one.ask();
    expect(last.pid).not.toBe(first.pid);
    expect(bench.running).toMatchObject([{ restarts: 3 }]);
    expect(none.listed?.pid).toBe(bystander);
  }, 40_000);

  test("that writes on a lane before anybody has it loses that lane", async () => {
    const bench = new Bench();
    const one = bench.keep("one", () => [entry("one.example")]);
    const { lane } = await one.ask("touch");
    const other = bench.keep("other", () => [entry("other.example")]);
    expect((await other.ask()).lane).toBe(lane + 2);
  });

  test("whose lanes run low gets another beside it, and ends with the last of its own", async () => {
    const bench = new Bench();
    const old = bench.keep("old", () => [entry("old.example")]);
    const { pid } = await old.ask();
    const taken = [];
    for (let left = 63; left > 8; left--) taken.push(await bench.egress.lane(nobody()));
    const young = bench.keep("young", () => [entry("young.example")]);
    await young.kept.whenReady(15_000);
    // Until the next one is ready the old one goes on with what it has.
    await soon(() => expect(bench.running.map(({ state }) => state)).toEqual(["ready", "ready"]));
    const later = bench.keep("later", () => [entry("later.example")]);
    expect((await later.ask()).pid).not.toBe(pid);
    // It goes on while one of its lanes is somebody's.
    expect((await old.ask()).pid).toBe(pid);
    for (const lane of taken) lane.end();
    await young.kept.stop();
    expect((await old.ask()).pid).toBe(pid);
    await old.kept.stop();
    await soon(() => expect(bench.running.map((one) => one.pid)).not.toContain(pid));
    expect(bench.running).toHaveLength(1);
  }, 40_000);

  test("is told of the proxy, and replaced when that is another: then everybody gets a lane of the new one", async () => {
    const bench = new Bench();
    const one = bench.keep("one", () => [entry("one.example")]);
    const before = await one.ask();
    expect(before.proxy).toBeNull();
    const proxy = { host: "proxy.example", port: 3128, tls: false };
    bench.upstream = { proxy, credential: null };
    await bench.egress.replace();
    await soon(() => expect(one.listed).toMatchObject({ restarts: 1, state: "ready" }));
    const after = await one.ask();
    expect(after.proxy).toEqual(proxy);
    expect(after.pid).not.toBe(before.pid);
    await soon(() => expect(bench.running).toHaveLength(1));
  }, 40_000);

  test("says what was reached and refused, of which process and by which list", async () => {
    const bench = new Bench();
    const one = bench.keep("one", () => [entry("one.example")]);
    await one.ask("reached one.example 443");
    await one.ask("unlisted evil.example 8443");
    await soon(() => expect(bench.asked).toHaveLength(2));
    expect(bench.asked).toMatchObject([
      { holder: { role: "model", subject: "one" }, host: "one.example", verdict: { reason: null, port: 443 } },
      { holder: { subject: "one" }, host: "evil.example", verdict: { reason: "unlisted", port: 8443, times: 1 } },
    ]);
    const started = bench.asked.map(({ process: { seq } }) => world.log.row(seq)?.action);
    expect(started).toMatchObject([{ kind: "process.started", process: bench.asked[0]?.process.id }, started[0]]);
  });
});
