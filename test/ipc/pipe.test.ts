import { type Duplex, duplexPair } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { MAX_PAYLOAD_BYTES } from "../../src/ipc/frame.ts";
import { MAX_QUEUED_BYTES, PipeError } from "../../src/ipc/outbox.ts";
import { Pipe, type PipeEnd, type PipeOptions } from "../../src/ipc/pipe.ts";
import { MAX_STREAM_BYTES } from "../../src/ipc/stream.ts";
import { bytesOf, Talk } from "../support/frames.ts";
import { socketPair } from "../support/socket-pair.ts";
import { soon } from "../support/soon.ts";

interface Heard {
  readonly pipe: Pipe<Talk, Talk>;
  readonly frames: [Talk, Uint8Array][];
  readonly ended: Promise<PipeEnd>;
}

function listen(stream: Duplex, options?: PipeOptions, onFrame?: (header: Talk, payload: Uint8Array) => void): Heard {
  const frames: [Talk, Uint8Array][] = [];
  const ended = Promise.withResolvers<PipeEnd>();
  const on = {
    frame(header: Talk, payload: Uint8Array) {
      frames.push([header, payload]);
      onFrame?.(header, payload);
    },
    end: (end: PipeEnd) => ended.resolve(end),
  };
  return { pipe: new Pipe<Talk, Talk>(stream, Talk, on, options), frames, ended: ended.promise };
}

async function pair(options?: PipeOptions): Promise<{ a: Heard; b: Heard }> {
  const [near, far] = await socketPair();
  return { a: listen(near, options), b: listen(far, options) };
}

/** One end is a pipe, the other a peer that writes what it likes. */
function hostile(options?: PipeOptions): { peer: Duplex; victim: Heard } {
  const [left, right] = duplexPair();
  left.on("error", () => undefined);
  left.resume();
  return { peer: left, victim: listen(right, options) };
}

const say = (ref: number): Talk => ({ type: "say", ref });

describe("two pipes", () => {
  test("carry frames both ways, in order, with their payloads", async () => {
    const { a, b } = await pair();
    for (let i = 0; i < 100; i++) void a.pipe.send(say(i), Buffer.from(`payload ${i}`));
    void b.pipe.send(say(7));
    await a.pipe.send({ type: "bye" });
    await soon(() => expect(b.frames).toHaveLength(101));
    expect(b.frames.slice(0, 100).map(([header]) => header)).toEqual(Array.from({ length: 100 }, (_, i) => say(i)));
    expect(Buffer.from(b.frames[42]?.[1] ?? []).toString()).toBe("payload 42");
    expect(a.frames).toEqual([[say(7), new Uint8Array(0)]]);
  });

  test("keep the order of frames and streams: what was sent behind 30 MiB comes behind it", async () => {
    const { a, b } = await pair();
    const sizes = [
      10,
      3 * MAX_PAYLOAD_BYTES + 5,
      20,
      30 * MAX_PAYLOAD_BYTES,
      0,
      MAX_PAYLOAD_BYTES,
      MAX_PAYLOAD_BYTES + 1,
    ];
    await Promise.all(sizes.map((size, ref) => a.pipe.send(say(ref), Buffer.alloc(size, ref + 1))));
    await soon(() => expect(b.frames).toHaveLength(sizes.length));
    expect(b.frames.map(([, payload]) => payload.length)).toEqual(sizes);
    expect(b.frames.map(([header]) => header)).toEqual(sizes.map((_, ref) => say(ref)));
    expect(b.frames[3]?.[1].every((byte) => byte === 4)).toBe(true);
  });

  test("carry large payloads both ways at once", async () => {
    const { a, b } = await pair();
    const large = Buffer.alloc(9 * MAX_PAYLOAD_BYTES, 9);
    await Promise.all([a.pipe.send(say(1), large), b.pipe.send(say(2), large)]);
    await soon(() => expect([a.frames.length, b.frames.length]).toEqual([1, 1]));
    for (const [, payload] of [...a.frames, ...b.frames]) expect(Buffer.compare(payload, large)).toBe(0);
  });

  test("end once, with the same news for both sides", async () => {
    const { a, b } = await pair();
    await a.pipe.send({ type: "bye" });
    a.pipe.close();
    a.pipe.close();
    expect(await a.ended).toMatchObject({ reason: "closed", detail: "closed by this side" });
    expect(await b.ended).toMatchObject({ reason: "closed", detail: "the other side closed" });
    expect(b.frames).toEqual([[{ type: "bye" }, new Uint8Array(0)]]);
  });

  test("refuse to send on a pipe that is over, and nobody who does not await it is hurt", async () => {
    const { a, b } = await pair();
    b.pipe.close();
    await a.ended;
    await expect(a.pipe.send(say(1))).rejects.toMatchObject({ name: "PipeError", code: "PIPE_CLOSED" });
    void a.pipe.send(say(2));
    await turn();
  });

  test("refuse what no frame can carry, and say so to the sender alone", async () => {
    const { a, b } = await pair();
    await expect(a.pipe.send(say(1), new Uint8Array(MAX_STREAM_BYTES + 1))).rejects.toMatchObject({
      code: "PIPE_TOO_LARGE",
    });
    await a.pipe.send(say(2));
    await soon(() => expect(b.frames).toHaveLength(1));
  });
});

describe("a wiped payload", () => {
  test.for([100, MAX_PAYLOAD_BYTES, 2 * MAX_PAYLOAD_BYTES])("of %i bytes arrives whole and is zeroed", async (size) => {
    const { a, b } = await pair();
    const secret = Buffer.alloc(size, 0x5a);
    await a.pipe.send(say(1), secret, { wipe: true });
    expect(secret.every((byte) => byte === 0)).toBe(true);
    await soon(() => expect(b.frames).toHaveLength(1));
    expect(b.frames[0]?.[1].every((byte) => byte === 0x5a)).toBe(true);
  });

  test("is zeroed when it could not be sent, too", async () => {
    const { a, b } = await pair();
    b.pipe.pause();
    const waiting = [2, 1, 1].map((times) => Buffer.alloc(times * MAX_PAYLOAD_BYTES, 0x5a));
    const sent = waiting.map((secret) => a.pipe.send(say(1), secret, { wipe: true }).catch((error: unknown) => error));
    a.pipe.close();
    for (const outcome of await Promise.all(sent)) expect(outcome).toBeInstanceOf(PipeError);
    const late = Buffer.alloc(10, 0x5a);
    await expect(a.pipe.send(say(2), late, { wipe: true })).rejects.toThrow(PipeError);
    for (const secret of [...waiting, late]) expect(secret.every((byte) => byte === 0)).toBe(true);
  });
});

describe("back-pressure", () => {
  test("a paused pipe delivers nothing and makes its sender wait", async () => {
    const { a, b } = await pair();
    b.pipe.pause();
    let sent = 0;
    for (let i = 0; i < 50; i++) void a.pipe.send(say(i), Buffer.alloc(60_000)).then(() => sent++);
    for (let i = 0; i < 20; i++) await turn();
    expect(b.frames).toHaveLength(0);
    expect(sent).toBeLessThan(20);
    b.pipe.resume();
    await soon(() => expect([b.frames.length, sent]).toEqual([50, 50]));
  });

  test("a pipe may be paused and resumed while it delivers", async () => {
    const [left, right] = await socketPair();
    const a = listen(left);
    const b = listen(right, {}, () => {
      b.pipe.pause();
      setImmediate(() => b.pipe.resume());
    });
    for (let i = 0; i < 30; i++) void a.pipe.send(say(i));
    await soon(() => expect(b.frames).toHaveLength(30));
  });

  test("a peer that never reads ends its pipe when too much waits for it", async () => {
    const { a, b } = await pair();
    b.pipe.pause();
    const block = Buffer.alloc(MAX_PAYLOAD_BYTES);
    for (let i = 0; i <= MAX_QUEUED_BYTES / MAX_PAYLOAD_BYTES + 1; i++) void a.pipe.send(say(i), block);
    expect(await a.ended).toMatchObject({ reason: "protocol" });
  });
});

describe("a hostile peer ends its pipe and nothing else", () => {
  const two = 2 * MAX_PAYLOAD_BYTES;
  const chunk = new Uint8Array(262_144);
  const open = (id: number, bytes = two): Uint8Array => bytesOf({ type: "stream.open", id, bytes, header: say(id) });
  const part = (id: number, payload = chunk): Uint8Array => bytesOf({ type: "stream.chunk", id }, payload);
  const zeros = "0".repeat(64);

  const cases: [what: string, bytes: Uint8Array[], reason: PipeEnd["reason"]][] = [
    ["an unknown type", [bytesOf({ type: "nonsense" })], "malformed"],
    ["no type", [bytesOf({})], "malformed"],
    ["a header that is no object", [Buffer.from("00000007000000025b5d00", "hex")], "malformed"],
    ["a key too many", [bytesOf({ type: "bye", channel: "slack" })], "malformed"],
    ["a field of another kind", [bytesOf({ type: "say", ref: "1" })], "malformed"],
    ["a huge length", [Buffer.from("ffffffff00000010", "hex")], "oversized"],
    ["deep nesting", [bytesOf({ type: "say", ref: deep(40) })], "deep"],
    ["a line of Node's own channel", [Buffer.from('{"cmd":"NODE_HANDLE_ACK"}\n')], "oversized"],
    ["a ninth stream", Array.from({ length: 9 }, (_, i) => open(i + 1)), "protocol"],
    ["streams of more than 64 MiB together", [open(1, 50 << 20), open(2, 50 << 20)], "oversized"],
    ["a stream of more than 50 MiB", [open(1, (50 << 20) + 1)], "oversized"],
    ["a stream that would fit in a frame", [open(1, 1000)], "protocol"],
    ["a stream of no size", [open(1, -5)], "protocol"],
    [
      "a stream of a frame that is not spoken",
      [bytesOf({ type: "stream.open", id: 1, bytes: two, header: {} })],
      "malformed",
    ],
    ["a stream whose id was used", [open(2), open(2)], "protocol"],
    ["a chunk of no stream", [part(3)], "protocol"],
    ["a chunk that is too short", [open(1), part(1, new Uint8Array(100))], "protocol"],
    ["a chunk without credit", [open(1, 10 << 20), ...Array.from({ length: 5 }, () => part(1))], "protocol"],
    ["an end before the end", [open(1), part(1), bytesOf({ type: "stream.close", id: 1, sha256: zeros })], "protocol"],
    ["credit that nobody asked for", [bytesOf({ type: "stream.credit", id: 1, chunks: 4 })], "protocol"],
    [
      "a payload where none belongs",
      [bytesOf({ type: "stream.open", id: 1, bytes: two, header: say(1) }, chunk)],
      "protocol",
    ],
    ["a form of stream frame that is none", [bytesOf({ type: "stream.reset", id: 1 })], "malformed"],
  ];
  test.for(cases)("by %s", async ([, bytes, reason]) => {
    const { peer, victim } = hostile();
    const other = await pair();
    peer.write(Buffer.concat(bytes));
    const end = await victim.ended;
    expect(end.reason).toBe(reason);
    expect(end.detail.length).toBeGreaterThan(5);
    expect(victim.frames).toEqual([]);
    await other.a.pipe.send(say(1));
    await soon(() => expect(other.b.frames).toHaveLength(1));
  });

  test("by a stream with the wrong SHA-256, which is not delivered", async () => {
    const { peer, victim } = hostile();
    peer.write(open(1, MAX_PAYLOAD_BYTES + 1));
    for (const size of [262_144, 262_144, 262_144, 262_144, 1]) {
      peer.write(part(1, new Uint8Array(size)));
      await turn();
      await turn();
    }
    peer.write(bytesOf({ type: "stream.close", id: 1, sha256: zeros }));
    expect(await victim.ended).toMatchObject({ reason: "protocol", detail: expect.stringContaining("SHA-256") });
    expect(victim.frames).toEqual([]);
  });

  test("by a stream that never goes on", async () => {
    const { peer, victim } = hostile({ streamIdleMs: 60 });
    peer.write(open(1));
    peer.write(part(1));
    expect(await victim.ended).toMatchObject({ reason: "protocol", detail: expect.stringContaining("no chunk") });
  });

  test("by credit that it does not have to give", async () => {
    const { peer, victim } = hostile();
    const sending = victim.pipe.send(say(1), Buffer.alloc(20 << 20)).catch((error: unknown) => error);
    await turn();
    peer.write(bytesOf({ type: "stream.credit", id: 1, chunks: 4 }));
    peer.write(bytesOf({ type: "stream.credit", id: 1, chunks: 4 }));
    expect(await victim.ended).toMatchObject({ reason: "protocol" });
    expect(await sending).toBeInstanceOf(PipeError);
  });

  test("by half a frame and silence: nothing is delivered", async () => {
    const { peer, victim } = hostile();
    peer.end(Buffer.from(bytesOf(say(1), Buffer.from("payload"))).subarray(0, 30));
    expect(await victim.ended).toMatchObject({
      reason: "closed",
      detail: "the other side closed in the middle of a frame",
    });
    expect(victim.frames).toEqual([]);
  });

  test("by a stream that breaks", async () => {
    const { peer, victim } = hostile();
    peer.destroy(new Error("gone"));
    expect((await victim.ended).reason).toBe("closed");
  });

  test("by a payload larger than this side takes", async () => {
    const small = hostile({ largest: 1000 });
    small.peer.write(bytesOf(say(1), new Uint8Array(1001)));
    expect((await small.victim.ended).reason).toBe("oversized");
    const streamed = hostile({ largest: two - 1 });
    streamed.peer.write(open(1));
    expect((await streamed.victim.ended).reason).toBe("oversized");
  });

  test("and the detail quotes nothing that it sent", async () => {
    for (const header of [
      { type: "xoxb-marker" },
      { type: "bye", "xoxb-marker": 1 },
      { type: "say", ref: "xoxb-marker" },
    ]) {
      const { peer, victim } = hostile();
      peer.write(bytesOf(header));
      expect((await victim.ended).detail).not.toContain("marker");
    }
  });
});

test("a pause is no silence: a stream of a pipe that was paused goes on", async () => {
  const { a, b } = await pair({ streamIdleMs: 500 });
  const sending = a.pipe.send(say(1), Buffer.alloc(8 << 20, 1));
  b.pipe.pause();
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  expect(b.pipe.ended).toBeNull();
  b.pipe.resume();
  await sending;
  await soon(() => expect(b.frames).toHaveLength(1));
});

test("a fault of this side's own in handling a frame ends that pipe alone, with its cause", async () => {
  const [left, right] = await socketPair();
  const a = listen(left);
  const fault = new RangeError("a bug of ours");
  const b = listen(right, {}, () => {
    throw fault;
  });
  await a.pipe.send(say(1));
  expect(await b.ended).toMatchObject({ reason: "protocol", cause: fault });
});

async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await turn();
}

describe("a flood", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"], now: 5_000_000 }));
  afterEach(() => void vi.useRealTimers());

  test("is read no further than 2,000 frames a second, and ends the pipe after ten such seconds", async () => {
    const { peer, victim } = hostile();
    const block = Buffer.concat(Array.from({ length: 1000 }, () => bytesOf({ type: "bye" })));
    for (let i = 0; i < 40; i++) peer.write(block);
    await settle();
    expect(victim.frames).toHaveLength(2000);
    let seconds = 0;
    for (; victim.pipe.ended === null && seconds < 20; seconds++) {
      await vi.advanceTimersByTimeAsync(1000);
      await settle();
    }
    expect(await victim.ended).toMatchObject({ reason: "flood" });
    expect(seconds).toBe(9);
    expect(victim.frames).toHaveLength(19_999);
  });

  test("of a lane's pipe may be held back for ever without ending it", async () => {
    const { peer, victim } = hostile({ flood: "pauses" });
    const block = Buffer.concat(Array.from({ length: 1000 }, () => bytesOf({ type: "bye" })));
    for (let i = 0; i < 25; i++) peer.write(block);
    await settle();
    for (let second = 0; second < 20; second++) {
      await vi.advanceTimersByTimeAsync(1000);
      await settle();
    }
    expect(victim.frames).toHaveLength(25_000);
    expect(victim.pipe.ended).toBeNull();
  });

  test("of the supervisor is no flood", async () => {
    const { peer, victim } = hostile({ flood: "trusted" });
    const block = Buffer.concat(Array.from({ length: 1000 }, () => bytesOf({ type: "bye" })));
    for (let i = 0; i < 30; i++) peer.write(block);
    await settle();
    expect(victim.frames).toHaveLength(30_000);
  });
});

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = [value];
  return value;
}
