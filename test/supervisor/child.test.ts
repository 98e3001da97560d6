import { readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { describe, expect, test, vi } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import type { Role } from "../../src/confine/role.ts";
import type { PipeEnd } from "../../src/ipc/pipe.ts";
import {
  type Child,
  type ChildExit,
  type ChildOptions,
  spawnChild,
  spawnJoinedPair,
} from "../../src/supervisor/child.ts";
import { environmentFor } from "../../src/supervisor/environment.ts";
import { ownImage } from "../../src/supervisor/own-image.ts";
import { childImage, startChild } from "../support/confined.ts";
import { Talk } from "../support/frames.ts";
import { soon } from "../support/soon.ts";

class Heard {
  readonly frames: [Talk, Uint8Array][] = [];
  readonly lines: string[] = [];
  readonly end = Promise.withResolvers<PipeEnd>();
  exits: ChildExit[] = [];

  options(role: Role, does: string): ChildOptions<Talk, Talk> {
    return {
      role,
      args: [does],
      accepts: Talk,
      stop: { type: "stop" },
      image: childImage("talker"),
      log: (line) => this.lines.push(line),
      on: {
        frame: (header, payload) => this.frames.push([header, payload]),
        end: (end) => this.end.resolve(end),
        exit: (exit) => this.exits.push(exit),
      },
    };
  }
}

/** A child that is gone at the end of the block. */
function start(does: string, role: Role = "agent"): { heard: Heard; child: Child<Talk, Talk> } & AsyncDisposable {
  const heard = new Heard();
  const child = spawnChild<Talk, Talk>(heard.options(role, does));
  return { heard, child, [Symbol.asyncDispose]: async () => void (await child.kill()) };
}

function isThere(pid: number | null): boolean {
  try {
    return pid !== null && !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

describe("a child", () => {
  test("answers over its pipe, small things and large ones", async () => {
    await using echo = start("echo");
    await echo.child.send({ type: "say", ref: 1 }, Buffer.from("hello"));
    await echo.child.send({ type: "say", ref: 2 }, Buffer.alloc(32 << 20, 2));
    await echo.child.send({ type: "say", ref: 3 });
    await soon(() => expect(echo.heard.frames).toHaveLength(3));
    expect(Buffer.from(echo.heard.frames[0]?.[1] ?? []).toString()).toBe("hello");
    expect(Buffer.compare(echo.heard.frames[1]?.[1] ?? new Uint8Array(0), Buffer.alloc(32 << 20, 2))).toBe(0);
    expect(echo.heard.frames[2]?.[0]).toEqual({ type: "say", ref: 3 });
  });

  test("ends when it is asked to, and says with which status it ended", async () => {
    await using echo = start("echo");
    await echo.child.send({ type: "say", ref: 1 });
    await soon(() => expect(echo.heard.frames).toHaveLength(1));
    expect(await echo.child.stop()).toEqual({ status: 0, signal: null, error: null, asked: true });
    expect(await echo.heard.end.promise).toMatchObject({ reason: "closed" });
    expect(echo.heard.exits).toHaveLength(1);
    await using leaves = start("echo");
    await leaves.child.send({ type: "bye" });
    expect(await leaves.child.exited).toEqual({ status: 3, signal: null, error: null, asked: false });
  });

  test("that does not end when it is asked to is killed after five seconds", async () => {
    await using stubborn = start("stubborn");
    await soon(() => expect(stubborn.heard.frames).toHaveLength(1));
    const asked = performance.now();
    const exit = await stubborn.child.stop();
    expect(exit).toEqual({ status: null, signal: "SIGKILL", error: null, asked: true });
    expect(performance.now() - asked).toBeGreaterThan(4900);
  }, 15_000);

  test("that cannot be started ends with the reason, and throws nothing", async () => {
    const heard = new Heard();
    const child = spawnChild<Talk, Talk>({
      ...heard.options("agent", "echo"),
      image: { command: "/nowhere/wirken", args: [] },
    });
    expect(child.pid).toBeNull();
    const exit = await child.exited;
    expect(exit.error?.message).toContain("ENOENT");
    await expect(child.send({ type: "bye" })).rejects.toMatchObject({ code: "PIPE_CLOSED" });
    expect((await heard.end.promise).reason).toBe("closed");
    await child.stop();
  });

  test("has nothing of the supervisor's environment but what its role needs, and the product's flags", async () => {
    vi.stubEnv("WIRKEN_TEST_SECRET", "xoxb-secret");
    vi.stubEnv("NODE_OPTIONS", "--no-deprecation");
    vi.stubEnv("TZ", "UTC");
    await using child = start("environment");
    await soon(() => expect(child.heard.frames).toHaveLength(1));
    vi.unstubAllEnvs();
    const about: unknown = JSON.parse(Buffer.from(child.heard.frames[0]?.[1] ?? []).toString());
    expect(about).toMatchObject({ argv: ["agent", "environment"], execArgv: [...NODE_FLAGS] });
    expect(about).toHaveProperty("env.TZ", "UTC");
    expect(Object.keys(Object(Reflect.get(Object(about), "env"))).every((key) => ["LANG", "TZ"].includes(key))).toBe(
      true,
    );
  });

  test("gets its certificates or its D-Bus only in the roles that use them", () => {
    const from = {
      LANG: "C",
      HOME: "/home/a",
      DBUS_SESSION_BUS_ADDRESS: "unix:",
      NODE_EXTRA_CA_CERTS: "/ca.pem",
      PATH: "/bin",
    };
    expect(environmentFor("agent", from)).toEqual({ LANG: "C" });
    expect(environmentFor("web", from)).toEqual({ LANG: "C" });
    expect(environmentFor("adapter", from)).toEqual({ LANG: "C", WIRKEN_CERTIFICATES: "/ca.pem" });
    expect(environmentFor("model", from, "/own.pem")).toEqual({ LANG: "C", WIRKEN_CERTIFICATES: "/own.pem" });
    expect(environmentFor("egress", { LANG: "C" }, "/own.pem")).toEqual({
      LANG: "C",
      WIRKEN_CERTIFICATES: "/own.pem",
    });
    expect(environmentFor("agent", from, "/own.pem")).toEqual({ LANG: "C" });
    expect(environmentFor("keychain", from)).toEqual({ LANG: "C", HOME: "/home/a", DBUS_SESSION_BUS_ADDRESS: "unix:" });
  });

  test("is this very program with the same flags", () => {
    const { command, args } = ownImage();
    expect(command).toBe(process.execPath);
    expect(args.slice(0, NODE_FLAGS.length)).toEqual([...NODE_FLAGS]);
    expect(args.at(-1)).toMatch(/src[/\\]main\.ts$/);
  });

  test("ends when the supervisor is gone, though nothing kills it", async () => {
    const { command, args } = childImage("parent");
    await using parent = await startChild(command, [...args, "echo"]);
    const child = Number(parent.said);
    expect(isThere(child)).toBe(true);
    await parent[Symbol.asyncDispose]();
    await soon(() => expect(isThere(child)).toBe(false));
  });
});

describe("a hostile child ends, and hurts nobody", () => {
  test.for([
    ["malformed", "malformed"],
    ["unknown-frame", "malformed"],
    ["huge", "oversized"],
    ["deep", "deep"],
    ["acknowledge", "oversized"],
    ["handle", "oversized"],
    ["endless", "oversized"],
  ] as const)("one that sends what no frame is (%s)", async ([does, reason]) => {
    await using bystander = start("echo");
    await using hostile = start(does);
    expect((await hostile.heard.end.promise).reason).toBe(reason);
    expect(await hostile.child.exited).toMatchObject({ signal: "SIGKILL", asked: false });
    expect(hostile.heard.frames).toEqual([]);
    await bystander.child.send({ type: "say", ref: 5 });
    await soon(() => expect(bystander.heard.frames).toHaveLength(1));
  });

  test("one that closes its pipe in the middle of a frame and stays", async () => {
    await using hostile = start("half-and-close");
    expect(await hostile.heard.end.promise).toEqual({
      reason: "closed",
      detail: "the other side closed in the middle of a frame",
    });
    expect(await hostile.child.exited).toMatchObject({ signal: "SIGKILL" });
  });

  test("one that sends half a frame and waits holds up nobody, and can be stopped", async () => {
    await using hostile = start("half-and-wait");
    await wait(200);
    expect(hostile.child.pipe.ended).toBeNull();
    expect(await hostile.child.kill()).toMatchObject({ signal: "SIGKILL", asked: true });
  });

  test("one that floods is held back, then ended, and this process neither spins nor grows", async () => {
    await using bystander = start("echo");
    await using hostile = start("flood");
    const memory = process.memoryUsage().rss;
    const cpu = process.cpuUsage();
    const began = performance.now();
    const answers: number[] = [];
    for (let ref = 0; hostile.child.pipe.ended === null; ref++) {
      const asked = performance.now();
      await bystander.child.send({ type: "say", ref });
      await soon(() => expect(bystander.heard.frames).toHaveLength(ref + 1), { interval: 5 });
      answers.push(performance.now() - asked);
      await wait(100);
    }
    const { user, system } = process.cpuUsage(cpu);
    const took = performance.now() - began;
    expect((await hostile.heard.end.promise).reason).toBe("flood");
    // It would send millions. A stretch of time touches two seconds more, at its ends, than it holds whole.
    expect(hostile.heard.frames.length).toBeLessThanOrEqual(2_000 * (Math.floor(took / 1000) + 2));
    expect(answers.toSorted((a, b) => a - b)[answers.length >> 1]).toBeLessThan(1000);
    expect(took).toBeGreaterThan(8000);
    expect((user + system) / 1000 / took).toBeLessThan(0.5);
    expect(process.memoryUsage().rss - memory).toBeLessThan(100 << 20);
  }, 30_000);
});

describe("what a child prints", () => {
  test("is passed on in lines: bounded, without controls, without anything like a credential", async () => {
    await using child = start("chatter");
    await soon(() => expect(child.heard.lines.some((line) => line.includes("dropped"))).toBe(true));
    const { lines } = child.heard;
    expect(lines).toContain("aaaaaaaaaa token [redacted] end");
    expect(lines).toContain("to the \\u{1b}[31mother\\u{202e} stream\\u{7}");
    expect(lines.some((line) => line.startsWith("long long") && line.length === 4096 && line.endsWith("…"))).toBe(true);
    expect(lines).toContain("next");
    expect(lines.length).toBeLessThanOrEqual(202);
    expect(lines.some((line) => /^\(\d+ more lines were dropped\)$/.test(line))).toBe(true);
  });
});

describe("two joined children", () => {
  test("share a private pipe that the supervisor does not hold", async () => {
    const [first, second] = [new Heard(), new Heard()];
    const pair = spawnJoinedPair(first.options("ingress", "joined"), second.options("web", "joined"));
    await soon(() => expect([first.frames.length, second.frames.length]).toEqual([1, 1]));
    await pair.first.send({ type: "say", ref: 1 });
    await pair.second.send({ type: "say", ref: 2 });
    await soon(() => expect([first.frames.length, second.frames.length]).toEqual([2, 2]));
    expect(Buffer.from(second.frames[1]?.[1] ?? []).toString()).toBe("from ingress");
    expect(Buffer.from(first.frames[1]?.[1] ?? []).toString()).toBe("from web");
    // Nobody else holds an end: the death of one is the end of the other's.
    await pair.first.kill();
    await soon(() => expect(second.frames.at(-1)?.[0]).toEqual({ type: "bye" }));
    await pair.second.kill();
  });

  test("end both when one of them cannot be started", async () => {
    const [first, second] = [new Heard(), new Heard()];
    const nowhere = { command: "/nowhere/wirken", args: [] };
    const pair = spawnJoinedPair(
      { ...first.options("ingress", "joined"), image: nowhere },
      second.options("web", "joined"),
    );
    expect((await pair.first.exited).error).not.toBeNull();
    expect(await pair.second.exited).toMatchObject({ signal: "SIGKILL", asked: true });
    const [third, fourth] = [new Heard(), new Heard()];
    const other = spawnJoinedPair(third.options("ingress", "joined"), {
      ...fourth.options("web", "joined"),
      image: nowhere,
    });
    expect(await other.first.exited).toMatchObject({ signal: "SIGKILL", asked: true });
    expect((await other.second.exited).error).not.toBeNull();
  });
});
