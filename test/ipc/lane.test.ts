import { createServer } from "node:http";
import { type Duplex, duplexPair, type Readable, Transform } from "node:stream";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { LaneFrame } from "../../src/ipc/ingress-frames.ts";
import { LANE_CONNECTIONS, Lane } from "../../src/ipc/lane.ts";
import { LANE_CREDIT, LANE_DATA, type LaneConnection } from "../../src/ipc/lane-connection.ts";
import { Pipe, type PipeEnd } from "../../src/ipc/pipe.ts";

/** Two lanes with a pair of streams between them, as ingress and web have it. */
function joined(accept: (connection: LaneConnection) => void) {
  const [left, right] = duplexPair();
  const ends: PipeEnd[] = [];
  const opener = new Lane(left, { end: (end) => ends.push(end) });
  const accepter = new Lane(right, { connection: accept, end: (end) => ends.push(end) });
  return { opener, accepter, ends };
}

function opened(lane: Lane): LaneConnection {
  const connection = lane.open();
  if (connection === null) throw new Error("no connection was opened");
  connection.on("error", () => undefined);
  return connection;
}

/** All of what comes until the end. (An iterator would destroy the stream at its end, and with it the other half.) */
function text(stream: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.once("end", () => resolve(Buffer.concat(chunks).toString("latin1")));
    stream.once("error", reject);
  });
}

async function closed(stream: Duplex): Promise<void> {
  if (!stream.closed) await new Promise((resolve) => stream.once("close", resolve));
}

/** A lane whose other end is played by the test, frame by frame. */
function played() {
  const [left, right] = duplexPair();
  const connections: LaneConnection[] = [];
  const end = Promise.withResolvers<PipeEnd>();
  const lane = new Lane(left, {
    connection(connection) {
      connection.on("error", () => undefined);
      connections.push(connection);
    },
    end: end.resolve,
  });
  const heard: { frame: LaneFrame; bytes: number }[] = [];
  const peer = new Pipe<LaneFrame, LaneFrame>(right, LaneFrame, {
    frame: (frame, payload) => heard.push({ frame, bytes: payload.length }),
    end: () => undefined,
  });
  return { lane, peer, heard, connections, ended: end.promise };
}

async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

test("whatever is written on any connection arrives whole, in order, on that connection alone", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          connection: fc.integer({ min: 0, max: 4 }),
          bytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 60_000, max: 400_000 })),
          pause: fc.boolean(),
        }),
        { maxLength: 25 },
      ),
      fc.integer({ min: 0, max: 3 }),
      async (writes, slowness) => {
        const echoes: LaneConnection[] = [];
        const { opener, accepter, ends } = joined((connection) => {
          connection.on("error", () => undefined);
          echoes.push(connection);
          const slow = new Transform({
            transform(chunk, _encoding, done) {
              setTimeout(() => done(null, chunk), slowness);
            },
          });
          connection.pipe(slow).pipe(connection);
        });
        const connections = Array.from({ length: 5 }, () => opened(opener));
        const sent = connections.map(() => "");
        const received = connections.map((connection) => text(connection));
        for (const [i, { connection: at, bytes, pause }] of writes.entries()) {
          const piece = String.fromCharCode(97 + (i % 26)).repeat(bytes);
          sent[at] += piece;
          connections[at]?.write(piece);
          if (pause) await new Promise((resolve) => setImmediate(resolve));
        }
        for (const connection of connections) connection.end();
        expect(await Promise.all(received)).toEqual(sent);
        await Promise.all([...connections, ...echoes].map(closed));
        expect(opener.connections).toBe(0);
        expect(accepter.connections).toBe(0);
        expect(ends).toEqual([]);
        opener.close();
      },
    ),
    { numRuns: 40, seed: 7 },
  );
});

test("a sender stops at its credit, and goes on with what it is given", async () => {
  const { lane, peer, heard, ended } = played();
  const connection = opened(lane);
  connection.write(Buffer.alloc(3 * LANE_CREDIT));
  await settled();
  const data = () => heard.filter(({ frame }) => frame.type === "data");
  const total = () => data().reduce((sum, { bytes }) => sum + bytes, 0);
  expect(total()).toBe(LANE_CREDIT);
  expect(Math.max(...data().map(({ bytes }) => bytes))).toBe(LANE_DATA);
  await peer.send({ type: "credit", connection: connection.ref, bytes: 1000 });
  await settled();
  expect(total()).toBe(LANE_CREDIT + 1000);
  lane.close();
  void ended;
});

test("a receiver that does not read gives no credit, and one that reads gives back what it read", async () => {
  const { lane, peer, heard, connections } = played();
  await peer.send({ type: "open", connection: 1 });
  for (let i = 0; i < 4; i++) await peer.send({ type: "data", connection: 1 }, new Uint8Array(LANE_DATA));
  await settled();
  expect(heard).toEqual([]);
  connections[0]?.resume();
  await settled();
  const given = heard.map(({ frame }) => (frame.type === "credit" ? frame.bytes : Number.NaN));
  expect(given.reduce((sum, bytes) => sum + bytes, 0)).toBe(4 * LANE_DATA);
  lane.close();
});

const OPEN: LaneFrame = { type: "open", connection: 1 };
test.for<[string, { frame: LaneFrame; bytes?: number }[], string]>([
  [
    "more data than its credit",
    [
      { frame: OPEN },
      ...Array.from({ length: 5 }, () => ({ frame: { type: "data" as const, connection: 1 }, bytes: LANE_DATA })),
    ],
    "more data than there was credit for",
  ],
  [
    "a data frame that is too large",
    [{ frame: OPEN }, { frame: { type: "data", connection: 1 }, bytes: LANE_DATA + 1 }],
    "65537",
  ],
  ["an empty data frame", [{ frame: OPEN }, { frame: { type: "data", connection: 1 } }], "a data frame of 0 bytes"],
  [
    "data after its end",
    [{ frame: OPEN }, { frame: { type: "end", connection: 1 } }, { frame: { type: "data", connection: 1 }, bytes: 1 }],
    "data after its end",
  ],
  [
    "two ends",
    [{ frame: OPEN }, { frame: { type: "end", connection: 1 } }, { frame: { type: "end", connection: 1 } }],
    "a second end",
  ],
  [
    "credit nobody used",
    [{ frame: OPEN }, { frame: { type: "credit", connection: 1, bytes: 1 } }],
    "more credit than was used",
  ],
  ["data before its open", [{ frame: { type: "data", connection: 7 }, bytes: 1 }], "data before its open"],
  ["a connection opened twice", [{ frame: OPEN }, { frame: OPEN }], "opened twice"],
  [
    "an end with a payload",
    [{ frame: OPEN }, { frame: { type: "end", connection: 1 }, bytes: 1 }],
    "end with a payload",
  ],
  [
    "too many connections",
    Array.from({ length: LANE_CONNECTIONS + 1 }, (_, i) => ({ frame: { type: "open" as const, connection: i + 1 } })),
    "more than 64 connections",
  ],
])("a peer that sends %s ends the lane", async ([, frames, why]) => {
  const { peer, connections, ended } = played();
  for (const { frame, bytes } of frames) void peer.send(frame, new Uint8Array(bytes ?? 0));
  const end = await ended;
  expect(end.reason).toMatch(/protocol|oversized/);
  expect(end.detail).toContain(why);
  expect(connections.every((connection) => connection.destroyed)).toBe(true);
});

test("the end that opens connections accepts none", async () => {
  const [left, right] = duplexPair();
  const end = Promise.withResolvers<PipeEnd>();
  void new Lane(left, { end: end.resolve });
  const peer = new Pipe<LaneFrame, LaneFrame>(right, LaneFrame, { frame: () => undefined, end: () => undefined });
  void peer.send(OPEN);
  expect((await end.promise).detail).toContain("does not open");
});

test("frames that crossed a reset on the way are late, not wrong", async () => {
  const { lane, peer, heard, connections } = played();
  await peer.send(OPEN);
  await settled();
  connections[0]?.destroy();
  await settled();
  expect(heard.map(({ frame }) => frame.type)).toEqual(["reset"]);
  await peer.send({ type: "data", connection: 1 }, new Uint8Array(10));
  await peer.send({ type: "end", connection: 1 });
  await peer.send({ type: "reset", connection: 1 });
  await peer.send({ type: "open", connection: 2 });
  await settled();
  expect(connections).toHaveLength(2);
  lane.close();
});

test("one side may end and still hear the other", async () => {
  const { opener } = joined((connection) => {
    void text(connection).then((all) => connection.end(`you said ${all}`));
  });
  const connection = opened(opener);
  connection.end("all of it");
  expect(await text(connection)).toBe("you said all of it");
  await closed(connection);
});

test("what was said before an end survives the reset behind it", async () => {
  const { opener } = joined((connection) => {
    connection.on("error", () => undefined);
    connection.end(Buffer.alloc(200_000, "x"));
    connection.on("finish", () => connection.destroy());
  });
  const connection = opened(opener);
  connection.write("never ended");
  expect(await text(connection)).toHaveLength(200_000);
  await closed(connection);
});

test("a torn connection tears its other end, and no other connection", async () => {
  const accepted: LaneConnection[] = [];
  const { opener } = joined((connection) => {
    connection.on("error", () => undefined);
    accepted.push(connection);
    connection.pipe(connection);
  });
  const torn = opened(opener);
  const whole = opened(opener);
  torn.write("half a senten");
  whole.end("a sentence");
  await settled();
  torn.destroy();
  expect(await text(whole)).toBe("a sentence");
  const [first] = accepted;
  if (first === undefined) throw new Error("nothing was accepted");
  await closed(first);
  expect(first.errored).toMatchObject({ code: "LANE_RESET" });
});

test("a lane that breaks destroys its connections and says so once", async () => {
  const [left, right] = duplexPair();
  const ends: PipeEnd[] = [];
  const lane = new Lane(left, { end: (end) => ends.push(end) });
  const connection = opened(lane);
  right.destroy();
  await closed(connection);
  expect(ends).toMatchObject([{ reason: "closed" }]);
  expect(lane.open()).toBeNull();
});

test("no more than 64 connections are open at once", () => {
  const { opener } = joined((connection) => connection.on("error", () => undefined));
  const all = Array.from({ length: LANE_CONNECTIONS }, () => opened(opener));
  expect(opener.open()).toBeNull();
  all[3]?.destroy();
  expect(opener.open()).not.toBeNull();
});

test("a peer that writes byte by byte is slowed before the lane counts as flooded", async () => {
  let received = 0;
  const { opener, ends } = joined((connection) => {
    connection.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
  });
  const connection = opened(opener);
  const until = performance.now() + 3000;
  let sent = 0;
  while (performance.now() < until) {
    for (let i = 0; i < 50; i++) connection.write(".");
    sent += 50;
    await new Promise((resolve) => setImmediate(resolve));
  }
  connection.end();
  await expect.poll(() => received).toBe(sent);
  expect(sent).toBeGreaterThan(20_000);
  expect(ends).toEqual([]);
});

test("node:http serves a connection of a lane, one request after another, bodies and time limits included", async () => {
  const server = createServer({ headersTimeout: 200, connectionsCheckingInterval: 50 }, (asked, response) => {
    void text(asked).then((body) => response.end(`${asked.method} ${asked.url} ${body.length}`));
  });
  server.emit("listening");
  const { opener } = joined((connection) => server.emit("connection", connection));
  const connection = opened(opener);
  let heard = "";
  connection.on("data", (chunk: Buffer) => {
    heard += chunk.toString("latin1");
  });
  connection.write("GET /one HTTP/1.1\r\nHost: x\r\n\r\n");
  await expect.poll(() => heard).toContain("GET /one 0");
  connection.write(`POST /two HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n${"x".repeat(500_000)}`);
  await expect.poll(() => heard).toContain("POST /two 500000");
  connection.write("GET /three HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  await closed(connection);
  expect(heard).toContain("GET /three 0");
  const slow = opened(opener);
  slow.write("GET / HTTP/1.1\r\nHo");
  let refusal = "";
  slow.on("data", (chunk: Buffer) => {
    refusal += chunk.toString("latin1");
  });
  await closed(slow);
  expect(refusal).toContain("408 Request Timeout");
  server.closeAllConnections();
  server.emit("close"); // ends its timer
});
