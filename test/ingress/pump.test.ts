import { type AddressInfo, connect, type Socket } from "node:net";
import { duplexPair } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { listenOnLoopback } from "../../src/ingress/listener.ts";
import { type PumpLimits, pump } from "../../src/ingress/pump.ts";
import { Lane } from "../../src/ipc/lane.ts";
import type { LaneConnection } from "../../src/ipc/lane-connection.ts";

const LIMITS: PumpLimits = { firstByteMs: 150, idleMs: 300, lingerMs: 200 };
const over: (() => void)[] = [];
afterEach(() => {
  for (const end of over.splice(0)) end();
});

/** A listener whose connections reach `accept` over a lane, as they reach web. */
async function listening(accept: (connection: LaneConnection) => void): Promise<number> {
  const [left, right] = duplexPair();
  const opener = new Lane(left, { end: () => undefined });
  void new Lane(right, {
    connection(connection) {
      connection.on("error", () => undefined);
      accept(connection);
    },
    end: () => undefined,
  });
  const outcome = await listenOnLoopback(0, (socket) => pump(socket, opener, LIMITS));
  if (outcome.state !== "listening") throw new Error(outcome.why);
  over.push(() => {
    outcome.server.close();
    opener.close();
  });
  return outcome.port;
}

function dial(port: number): { socket: Socket; heard: Promise<string> } {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1");
  socket.on("data", (piece: string) => {
    text += piece;
  });
  socket.on("error", () => undefined);
  const heard = new Promise<string>((resolve) => {
    socket.on("close", () => resolve(text));
  });
  return { socket, heard };
}

test("bytes arrive as they were sent, in both directions, whatever they are", async () => {
  const all = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256));
  const port = await listening((connection) => connection.pipe(connection));
  const { socket, heard } = dial(port);
  socket.end(all);
  expect(Buffer.from(await heard, "latin1").equals(all)).toBe(true);
});

test("a connection that says nothing is closed, and web never hears of it", async () => {
  let accepted = 0;
  const port = await listening(() => {
    accepted += 1;
  });
  const { heard } = dial(port);
  expect(await heard).toBe("");
  expect(accepted).toBe(0);
});

test("a connection that is idle in both directions is closed", async () => {
  const port = await listening((connection) => connection.resume());
  const { socket, heard } = dial(port);
  const started = performance.now();
  socket.write("GET /");
  await heard;
  expect(performance.now() - started).toBeGreaterThan(LIMITS.idleMs - 20);
});

test("an answer arrives although its reader is still sending", async () => {
  const port = await listening((connection) => {
    connection.once("data", () => {
      connection.end("too large");
      connection.once("finish", () => connection.destroy());
    });
  });
  const { socket, heard } = dial(port);
  const writing = setInterval(() => socket.write("x".repeat(10_000)), 1);
  socket.on("close", () => clearInterval(writing));
  await expect(heard).resolves.toBe("too large");
});

test("a client that goes away ends its connection to web, and no other", async () => {
  const closed: string[] = [];
  const port = await listening((connection) => {
    connection.once("data", (first: Buffer) => {
      connection.write(`hello ${first.toString("latin1")}`);
      connection.once("end", () => connection.end()); // as a server of HTTP does
      connection.once("close", () => closed.push(first.toString("latin1")));
    });
  });
  const [one, two] = [dial(port), dial(port)];
  one.socket.write("one");
  two.socket.write("two");
  await new Promise((resolve) => one.socket.once("data", resolve));
  one.socket.destroy();
  await expect.poll(() => closed).toEqual(["one"]);
  expect(two.socket.destroyed).toBe(false);
  two.socket.destroy();
});

test("a port in use is said in one sentence", async () => {
  const port = await listening(() => undefined);
  const again = await listenOnLoopback(port, () => undefined);
  expect(again).toEqual({ state: "taken", why: `another process listens on 127.0.0.1:${port}` });
});

test("the listener is bound to 127.0.0.1", async () => {
  const outcome = await listenOnLoopback(0, (socket) => socket.destroy());
  if (outcome.state !== "listening") throw new Error(outcome.why);
  const address: string | AddressInfo | null = outcome.server.address();
  expect(address).toMatchObject({ address: "127.0.0.1", port: outcome.port });
  outcome.server.close();
});
