import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { encodeFrame } from "../../src/ipc/frame.ts";
import type { TestDaemon } from "../support/daemon.ts";
import { HostileDaemon, TELEGRAM } from "../support/hostile-daemon.ts";
import type { Order } from "../support/probes/orders.ts";
import { pssOf, SupervisorWatch } from "../support/supervisor-watch.ts";

/** What a supervisor may grow by while it is under attack: garbage that was not collected yet, one stream, what is under way. */
const GROWTH_BYTES = 96 * 1_048_576;
/** A command's call, or a turn with the built-in model; on a machine that is too busy for it, ten times what it takes there in peace. */
const ANSWER_MS = 1_000;
const MIB = 1_048_576;
/** The whole of the back-off takes two minutes. */
const LONG = process.env["WIRKEN_TEST_ROUNDS"] === "long";
const STARTS = LONG ? 8 : 3;

let hostile: HostileDaemon;
let daemon: TestDaemon;
let patience = ANSWER_MS;

beforeAll(async () => {
  hostile = await HostileDaemon.start();
  ({ daemon } = hostile);
  await using watch = new SupervisorWatch(daemon.pid, hostile.line);
  await watch.answered();
  patience = Math.max(ANSWER_MS, 10 * watch.slowest);
}, 180_000);

afterAll(async () => {
  await hostile?.[Symbol.asyncDispose]();
});

const once = (bytes: Uint8Array): Extract<Order, { do: "write" }> => ({
  do: "write",
  bytes: Buffer.from(bytes).toString("base64"),
  spins: false,
});
const andSpin = (bytes: Uint8Array): Order => ({ ...once(bytes), spins: true });
const pour = (bytes: Uint8Array): Order => ({ do: "pour", bytes: Buffer.from(bytes).toString("base64") });
const text = (words: string): Uint8Array => Buffer.from(words);
const hex = (digits: string): Uint8Array => Buffer.from(digits, "hex");
const NOTHING = new Uint8Array(0);

const inbound = (ref: number, more: object = {}): object => ({
  type: "inbound",
  ref,
  place: "666",
  thread: null,
  sender: "666",
  senderName: "Mallory",
  dedupe: `m${ref}`,
  talk: "direct",
  ...more,
});
const cursor = encodeFrame({ type: "cursor", cursor: "1" }, NOTHING);
const nested = JSON.parse(`${"[".repeat(40)}${"]".repeat(40)}`) as unknown;

test("the watch watches: it sees a daemon that stands still, and memory that grows", async () => {
  await using watch = new SupervisorWatch(daemon.pid, hostile.line);
  await watch.answered();
  process.kill(daemon.pid, "SIGSTOP");
  await new Promise((done) => setTimeout(done, patience + 100));
  process.kill(daemon.pid, "SIGCONT");
  await watch.answered();
  expect(watch.slowest).toBeGreaterThan(patience);
  const before = pssOf(process.pid);
  const held = Buffer.alloc(GROWTH_BYTES, 1);
  expect(pssOf(process.pid) - before).toBeGreaterThan(GROWTH_BYTES / 2);
  expect(held[1]).toBe(1);
});

describe("an adapter that is ended for what it sends", () => {
  beforeEach(async () => {
    await hostile.anew();
    await hostile.orders.here();
  });

  test.for<[string, string, Order]>([
    ["bytes that are no frame", "oversized", once(text('{"cmd":"NODE_HANDLE_ACK"}\n'))],
    ["an announced header of no length", "malformed", once(hex("000000040000000078787878"))],
    ["a header that is not JSON", "malformed", once(hex("000000060000000278787878"))],
    ["a type that nobody knows", "malformed", once(encodeFrame({ type: "NODE_HANDLE_ACK" }, NOTHING))],
    [
      "Node's own message of a handle",
      "malformed",
      once(encodeFrame({ cmd: "NODE_HANDLE", type: "net.Socket", msg: {} }, NOTHING)),
    ],
    ["a key twice", "malformed", once(raw('{"type":"cursor","cursor":"1","cursor":"2"}'))],
    ["an announced gigabyte", "oversized", once(hex("4000000000000010"))],
    ["four gigabytes of one line", "oversized", pour(Buffer.alloc(65_536, "x"))],
    ["a header forty deep", "deep", once(encodeFrame(inbound(1, { place: nested }), NOTHING))],
    ["the same sixty thousand deep", "deep", once(raw(`${"[".repeat(30_000)}${"]".repeat(30_000)}`))],
    ["a flood of small frames", "flood", pour(Buffer.concat(Array.from({ length: 500 }, () => cursor)))],
    ["an answer to nothing", "protocol", once(encodeFrame({ type: "delivered", ref: 7, ids: [] }, NOTHING))],
    ["that it is ready, again", "protocol", once(encodeFrame({ type: "ready", protocol: 1, build: "x" }, NOTHING))],
    [
      "a stream longer than there are",
      "oversized",
      once(encodeFrame({ type: "stream.open", id: 1, bytes: 51 * MIB, header: inbound(1) }, NOTHING)),
    ],
    ["its own death", "exit", { do: "exit", status: 9 }],
  ])("sends %s: the record says %s, and everybody else is served", async ([, reason, order]) => {
    const before = (await hostile.ends()).length;
    const began = pssOf(daemon.pid);
    await using watch = new SupervisorWatch(daemon.pid, hostile.line);
    await hostile.orders.spend(order);
    const { fields } = await hostile.end(before);
    expect(fields).toMatchObject({ reason });
    await watch.answered();
    expect(watch.most - began).toBeLessThan(GROWTH_BYTES);
    expect(watch.slowest).toBeLessThan(patience);
  });
});

describe("an adapter that goes on for ever", () => {
  beforeEach(async () => {
    await hostile.anew();
    await hostile.orders.here();
  });

  const chunk = encodeFrame({ type: "stream.chunk", id: 1 }, Buffer.alloc(262_144));
  const opened = encodeFrame({ type: "stream.open", id: 1, bytes: 50 * MIB, header: inbound(1) }, NOTHING);

  test.for<[string, Order]>([
    [
      "begins a frame and never comes back to its event loop",
      andSpin(encodeFrame(inbound(1), NOTHING).subarray(0, 30)),
    ],
    ["opens a stream of 50 MiB and never closes it", andSpin(Buffer.concat([opened, chunk, chunk]))],
    ["prints without end", { do: "print", lines: ["x".repeat(100_000), "short"], times: 1_000 }],
  ])("%s: everybody else is served, and it is stopped when it is told to", async ([, order]) => {
    const before = (await hostile.ends()).length;
    const began = pssOf(daemon.pid);
    await using watch = new SupervisorWatch(daemon.pid, hostile.line);
    await hostile.orders.spend(order);
    await new Promise((done) => setTimeout(done, 500));
    await watch.answered();
    expect(watch.most - began).toBeLessThan(GROWTH_BYTES);
    expect(watch.slowest).toBeLessThan(patience);
    expect((await hostile.ends()).length).toBe(before);
    expect(daemon.stderr.length).toBeLessThan(2 * MIB);
    await hostile.line.call({ call: "channel.disable", channel: TELEGRAM });
  });

  test("gives in large messages as fast as they are taken: they wait in it, not in the supervisor", async () => {
    const began = pssOf(daemon.pid);
    await using watch = new SupervisorWatch(daemon.pid, hostile.line);
    const done = hostile.orders.give({ do: "burst", sender: "666", bytes: MIB, times: 150 });
    expect(await done).toBe("written");
    await watch.answered();
    expect(watch.most - began).toBeLessThan(GROWTH_BYTES);
    expect(watch.slowest).toBeLessThan(patience);
  });
});

test("a message of one mebibyte is taken, and one with a byte more ends its process", async () => {
  await hostile.anew();
  const given = { do: "inbound", sender: "666" } as const;
  expect(await hostile.orders.give({ ...given, text: "x".repeat(MIB), dedupe: "a mebibyte" })).toBe("acknowledged");
  const before = (await hostile.ends()).length;
  await hostile.orders.spend({ ...given, text: "x".repeat(MIB + 1), dedupe: "a byte more" });
  const { fields, content } = await hostile.end(before);
  expect(fields).toMatchObject({ reason: "protocol" });
  expect(content["detail"]).toContain(`more than ${MIB} bytes`);
});

describe("an adapter that never becomes ready", () => {
  afterEach(() => hostile.atStart("nothing"));

  test.for(LONG ? ["ten seconds"] : [])("and says nothing is ended after %s", async () => {
    const before = (await hostile.ends()).length;
    hostile.atStart("silent");
    await hostile.anew();
    await using watch = new SupervisorWatch(daemon.pid, hostile.line);
    expect((await hostile.end(before)).fields).toMatchObject({ reason: "timeout" });
    expect(watch.slowest).toBeLessThan(patience);
  });

  test("but dies at once is started again after one second, two, four, and so on; and given up after eight starts", async () => {
    const before = (await hostile.ends()).length;
    hostile.atStart("exit");
    await hostile.anew();
    await hostile.end(before + STARTS - 1);
    const ends = (await hostile.ends()).slice(before);
    expect(ends.map(({ fields }) => [fields["reason"], fields["status"]])).toEqual(ends.map(() => ["exit", 7]));
    const starts = await Promise.all(ends.map(async ({ cause }) => await hostile.rowAt(cause)));
    const waits = starts.slice(1).map(({ at }, nth) => Date.parse(at) - Date.parse(ends[nth]?.at ?? ""));
    for (const [nth, wait] of waits.entries()) {
      const least = Math.min(1_000 * 2 ** nth, 60_000);
      expect(wait).toBeGreaterThan(least - 50);
      expect(wait).toBeLessThan(least + patience);
    }
    if (!LONG) return;
    await hostile.eventually("given up", async () => {
      const { channels } = await hostile.line.call({ call: "channel.list" });
      return channels.find(({ state, note }) => state === "failed" && note?.includes("never ready"));
    });
  }, 200_000);

  test("and then does, works as if nothing had been", async () => {
    await hostile.anew();
    expect(await hostile.orders.give({ do: "connect" })).toBe("connected");
    await hostile.eventually("connected", async () => {
      const { channels } = await hostile.line.call({ call: "channel.list" });
      return channels.find(({ state }) => state === "connected");
    });
    expect((await hostile.line.call({ call: "audit.verify" })).state).toBe("good");
  });
});

/** A frame whose header is these very words. */
function raw(header: string): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4 + Buffer.byteLength(header), 0);
  head.writeUInt32BE(Buffer.byteLength(header), 4);
  return Buffer.concat([head, Buffer.from(header)]);
}
