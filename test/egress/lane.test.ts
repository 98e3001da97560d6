import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { expect, test } from "vitest";
import { LANE_CONNECTIONS, LANE_SHARE } from "../../src/egress/lane.ts";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { certificateFor } from "../support/certificate.ts";
import { soon } from "../support/soon.ts";
import { serving } from "../support/serving.ts";
import { echo, laneWorld, namesAre } from "./lane-world.ts";

const LOOPBACK = namesAre({ "chat.example": ["127.0.0.1"], "sub.chat.example": ["127.0.0.1"] });

function host(name: string, port: number, more: Partial<Extract<LaneEntry, { to: "host" }>> = {}): LaneEntry {
  return { to: "host", host: name, port, tls: false, private: true, ...more };
}

test("bytes pass both ways, and either side may end first", async () => {
  await using server = await echo();
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  const stream = await world.client.open(`chat.example:${server.port}`);
  stream.end("hello");
  expect(await text(stream)).toBe("hello");
  await soon(() =>
    expect(world.verdicts).toEqual([{ host: "chat.example", port: server.port, reason: null, times: 1 }]),
  );
});

test("a side that has ended still hears the other", async () => {
  await using server = await serving(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket.end("first");
      socket.on("data", (chunk: Buffer) => heard.push(chunk));
      socket.on("end", () => ended.push("server heard the end"));
    }),
  );
  const heard: Buffer[] = [];
  const ended: string[] = [];
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  const stream = await world.client.open(`chat.example:${server.port}`);
  expect(await text(stream)).toBe("first");
  stream.end("afterwards");
  await soon(() => expect(ended).toHaveLength(1));
  expect(Buffer.concat(heard).toString()).toBe("afterwards");
});

test.for([
  ["chat.example", "%p", "unlisted", "another port"],
  ["other.example", "", "unlisted", "another host"],
  ["sub.chat.example", "", "unlisted", "a host below it"],
  ["127.0.0.1", "", "literal", "its address"],
  ["2130706433", "", "literal", "its address in decimal"],
  ["0x7f.1", "", "literal", "its address in hexadecimal"],
  ["[::1]", "", "literal", "an IPv6 address"],
])("a lane that reaches its host does not reach %s%s: %s (%s)", async ([name = "", elsewhere = "", reason = ""]) => {
  await using server = await echo();
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  expect(await world.client.reasonOf(`chat.example:${server.port}`)).toBeNull();
  const port = elsewhere === "" ? server.port : (server.port % 65_000) + 1;
  expect(await world.client.reasonOf(`${name}:${port}`)).toBe(reason);
});

test("a request that is no CONNECT is refused", async () => {
  await using world = await laneWorld([host("chat.example", 80)], LOOPBACK);
  const stream = world.client.session.request({ ":method": "GET", ":path": "/", ":authority": "chat.example:80" });
  const status = await new Promise((resolve) => stream.once("response", (headers) => resolve(headers[":status"])));
  expect(status).toBe(400);
  expect(world.verdicts).toMatchObject([{ host: "chat.example:80", port: null, reason: "malformed" }]);
});

test("a name that leads inside is reached only where the operator wrote it down", async () => {
  await using server = await echo();
  await using allowed = await laneWorld([host("chat.example", server.port, { private: true })], LOOPBACK);
  expect(await allowed.client.reasonOf(`chat.example:${server.port}`)).toBeNull();
  await using refused = await laneWorld([host("chat.example", server.port, { private: false })], LOOPBACK);
  expect(await refused.client.reasonOf(`chat.example:${server.port}`)).toBe("private");
  expect(server.sockets.size).toBeLessThanOrEqual(1);
});

test("one inside address among public ones refuses the name", async () => {
  const resolve = namesAre({ "chat.example": ["93.184.216.34", "127.0.0.1"] });
  await using world = await laneWorld([host("chat.example", 443, { private: false })], resolve);
  expect(await world.client.reasonOf("chat.example:443")).toBe("private");
});

test("a resolver that changes its answer gains nothing: it is asked once for each connection", async () => {
  await using server = await echo();
  let asked = 0;
  await using world = await laneWorld([host("chat.example", server.port, { private: false })], async () => {
    asked++;
    return asked === 1 ? ["127.0.0.1"] : ["192.0.2.1"];
  });
  expect(await world.client.reasonOf(`chat.example:${server.port}`)).toBe("private");
  expect(asked).toBe(1);
  expect(server.sockets.size).toBe(0);
});

test("a TLS lane carries a handshake with the decided host and ends one with another", async () => {
  const certificate = certificateFor("chat.example", "other.example");
  await using server = await serving(createTlsServer(certificate, (socket) => socket.end("inside")));
  await using world = await laneWorld([host("chat.example", server.port, { tls: true })], LOOPBACK);

  const say = async (servername: string): Promise<string> => {
    const stream = await world.client.open(`chat.example:${server.port}`);
    const secure = connectTls({ socket: stream, servername, ca: certificate.cert });
    return await text(secure).catch((error: unknown) => (error instanceof Error ? "torn" : "unknown"));
  };
  expect(await say("chat.example")).toBe("inside");
  const before = server.sockets.size;
  expect(await say("other.example")).toBe("torn");
  // Without a server name.
  expect(await say("")).toBe("torn");
  await soon(() => expect(server.sockets.size).toBeLessThanOrEqual(before));
  await soon(() =>
    expect(world.verdicts).toEqual([
      { host: "chat.example", port: server.port, reason: null, times: 1 },
      { host: "chat.example", port: server.port, reason: "server-name", times: 1 },
      { host: "chat.example", port: server.port, reason: "server-name", times: 1 },
    ]),
  );
});

test("bytes that are no TLS do not reach the far side of a TLS entry", async () => {
  const heard: Buffer[] = [];
  await using server = await serving(createServer((socket) => socket.on("data", (chunk: Buffer) => heard.push(chunk))));
  await using open = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  (await open.client.open(`chat.example:${server.port}`)).write("plain");
  await soon(() => expect(heard).toHaveLength(1));
  await using world = await laneWorld([host("chat.example", server.port, { tls: true })], LOOPBACK);
  const stream = await world.client.open(`chat.example:${server.port}`);
  stream.write("GET / HTTP/1.1\r\n\r\n");
  await soon(() => expect(stream.closed).toBe(true));
  expect(heard).toHaveLength(1);
});

test("a change of the list cuts what it no longer allows, and nothing else", async () => {
  await using server = await echo();
  const both = [host("chat.example", server.port), host("sub.chat.example", server.port)];
  await using world = await laneWorld(both, LOOPBACK);
  const kept = await world.client.open(`chat.example:${server.port}`);
  const cut = await world.client.open(`sub.chat.example:${server.port}`);
  world.lane.bind([host("chat.example", server.port)]);
  await soon(() => expect(cut.closed).toBe(true));
  kept.end("still");
  expect(await text(kept)).toBe("still");
  await soon(() =>
    expect(world.verdicts).toContainEqual({
      host: "sub.chat.example",
      port: server.port,
      reason: "withdrawn",
      times: 1,
    }),
  );
});

test("a list that changes while a connection is made counts", async () => {
  await using server = await echo();
  const answer = Promise.withResolvers<readonly string[]>();
  await using world = await laneWorld([host("chat.example", server.port)], () => answer.promise);
  const reason = world.client.reasonOf(`chat.example:${server.port}`);
  // The question is open now.
  await soon(() => expect(world.client.session.destroyed).toBe(false));
  world.lane.bind([]);
  answer.resolve(["127.0.0.1"]);
  expect(["withdrawn", "unlisted"]).toContain(await reason);
});

test("more connections than a lane may have are refused as busy, and the lane goes on", async () => {
  await using server = await echo();
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  const authority = `chat.example:${server.port}`;
  const open = await Promise.all(Array.from({ length: LANE_CONNECTIONS }, () => world.client.open(authority)));
  expect(await world.client.reasonOf(authority)).toBe("busy");
  open[0]?.close();
  await soon(() => expect(server.sockets.size).toBe(LANE_CONNECTIONS - 1));
  expect(await world.client.reasonOf(authority)).toBeNull();
});

test("in a process that is full every lane keeps its share, and more is refused as busy", async () => {
  await using server = await echo();
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK, { room: 1 });
  const authority = `chat.example:${server.port}`;
  const open = await Promise.all(Array.from({ length: LANE_SHARE + 1 }, () => world.client.open(authority)));
  expect(await world.client.reasonOf(authority)).toBe("busy");
  for (const stream of open.slice(0, 2)) stream.close();
  await soon(() => expect(server.sockets.size).toBe(LANE_SHARE - 1));
  await world.client.open(authority);
  await world.client.open(authority);
  expect(await world.client.reasonOf(authority)).toBe("busy");
});

test("a connection on which nothing passes is cut, and one on which something does is not", async () => {
  await using server = await echo();
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK, { patience: { idleMs: 400 } });
  const [silent, busy] = [
    await world.client.open(`chat.example:${server.port}`),
    await world.client.open(`chat.example:${server.port}`),
  ];
  busy.resume();
  const talk = setInterval(() => busy.write("still here"), 20);
  await soon(() => expect(silent.closed).toBe(true));
  clearInterval(talk);
  expect(busy.closed).toBe(false);
});

test("a TLS lane whose hello does not come is cut", async () => {
  await using server = await echo();
  const list = [host("chat.example", server.port, { tls: true })];
  await using world = await laneWorld(list, LOOPBACK, { patience: { helloMs: 100 } });
  const stream = await world.client.open(`chat.example:${server.port}`);
  stream.write(Buffer.from([22, 3, 1]));
  await soon(() => expect(stream.closed).toBe(true));
  await soon(() => expect(world.verdicts).toMatchObject([{ reason: "timeout" }]));
});

test("a server that is not read is held back", async () => {
  const written: Socket[] = [];
  await using server = await serving(
    createServer((socket) => {
      written.push(socket);
      const chunk = Buffer.alloc(65_536);
      const fill = (): void => {
        while (socket.write(chunk));
      };
      socket.on("drain", fill);
      fill();
    }),
  );
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  const stream = await world.client.open(`chat.example:${server.port}`);
  const sent = (): number => written[0]?.bytesWritten ?? 0;
  const held = await whenStill(sent);
  expect(held).toBeGreaterThan(0);
  // What lies in the system's buffers, too.
  expect(held).toBeLessThan(32 * 1_048_576);
  stream.resume();
  await soon(() => expect(sent()).toBeGreaterThan(4 * held));
});

test("a child whose server does not read is held back", async () => {
  const sockets: Socket[] = [];
  await using server = await serving(createServer({ pauseOnConnect: true }, (socket) => sockets.push(socket)));
  await using world = await laneWorld([host("chat.example", server.port)], LOOPBACK);
  const stream = await world.client.open(`chat.example:${server.port}`);
  let sent = 0;
  const chunk = Buffer.alloc(65_536);
  const push = (): void => {
    stream.write(chunk, (error) => {
      if (error === null || error === undefined) {
        sent += chunk.length;
        push();
      }
    });
  };
  push();
  const held = await whenStill(() => sent);
  expect(held).toBeGreaterThan(0);
  expect(held).toBeLessThan(32 * 1_048_576);
  sockets[0]?.resume();
  await soon(() => expect(sent).toBeGreaterThan(4 * held));
});

test("an address that does not answer is not waited for", async () => {
  await using server = await echo();
  const silent = spawn("/usr/bin/python3", ["-c", SILENT, String(server.port)], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await once(silent.stdout, "data");
    const addresses = ["127.0.0.2", "127.0.0.1"];
    const list = [host("chat.example", server.port)];
    await using world = await laneWorld(list, namesAre({ "chat.example": addresses }));
    expect(await world.client.reasonOf(`chat.example:${server.port}`)).toBeNull();
    await using other = await laneWorld(list, namesAre({ "chat.example": ["::1", ...addresses.slice(1)] }));
    expect(await other.client.reasonOf(`chat.example:${server.port}`)).toBeNull();
  } finally {
    silent.kill();
  }
});

/** Listens on 127.0.0.2, takes nothing, and has no room for more to wait: what connects then hears nothing at all. */
const SILENT = `
import socket, sys
listening = socket.socket()
listening.bind(("127.0.0.2", int(sys.argv[1])))
listening.listen(0)
waiting = []
for _ in range(4):
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.2", int(sys.argv[1])))
    waiting.append(one)
print("silent", flush=True)
sys.stdin.read()
`;

/** @returns the value once it has stopped growing. */
async function whenStill(read: () => number): Promise<number> {
  let last = -1;
  await soon(
    () => {
      const now = read();
      const still = now > 0 && now === last;
      last = now;
      expect(still).toBe(true);
    },
    { interval: 300 },
  );
  return last;
}

test("a name that does not exist, a port where nobody listens", async () => {
  const gone = await echo();
  const { port } = gone;
  await gone[Symbol.asyncDispose]();
  await using world = await laneWorld([host("chat.example", port), host("nowhere.example", port)], LOOPBACK);
  expect(await world.client.reasonOf(`nowhere.example:${port}`)).toBe("unresolved");
  expect(await world.client.reasonOf(`chat.example:${port}`)).toBe("unreachable");
});
