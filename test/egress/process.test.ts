import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { LOCAL_SOCKETS } from "../../src/confine/role.ts";
import { LANES, type LaneEntry } from "../../src/ipc/egress-frames.ts";
import { LaneClient } from "../support/lane-client.ts";
import { soon } from "../support/soon.ts";
import { EgressWorld } from "./egress-world.ts";
import { echo } from "./lane-world.ts";

function localhost(port: number): LaneEntry {
  return { to: "host", host: "localhost", port, tls: false, private: true };
}

test("egress carries what a lane's list allows, asks the system's resolver, and tells of it", async () => {
  await using server = await echo();
  await using egress = await new EgressWorld().start();
  await egress.bind(5, [localhost(server.port)]);
  using client = new LaneClient(egress.end(5));
  const stream = await client.open(`localhost:${server.port}`);
  stream.end("through it");
  expect(await text(stream)).toBe("through it");
  expect(await client.reasonOf(`localhost:${(server.port % 65_000) + 1}`)).toBe("unlisted");
  await soon(() =>
    expect(egress.verdicts).toEqual([
      { lane: 5, host: "localhost", port: server.port, reason: null, times: 1 },
      { lane: 5, host: "localhost", port: (server.port % 65_000) + 1, reason: "unlisted", times: 1 },
    ]),
  );
  expect(egress.lines).toEqual([]);
});

test("a lane without a list reaches nothing, and the list of one lane is not another's", async () => {
  await using server = await echo();
  await using egress = await new EgressWorld().start();
  await egress.bind(0, [localhost(server.port)]);
  using listed = new LaneClient(egress.end(0));
  using other = new LaneClient(egress.end(1));
  expect(await listed.reasonOf(`localhost:${server.port}`)).toBeNull();
  expect(await other.reasonOf(`localhost:${server.port}`)).toBe("unlisted");
});

test("egress says nothing on a lane before the child does", async () => {
  await using server = await echo();
  await using egress = await new EgressWorld().start();
  for (let lane = 0; lane < LANES; lane++) {
    const end = egress.end(lane);
    // Reading it is what shows whether something came.
    end.resume();
    await egress.bind(lane, [localhost(server.port)]);
  }
  for (let lane = 0; lane < LANES; lane++) expect(Reflect.get(egress.end(lane), "bytesRead")).toBe(0);
  using client = new LaneClient(egress.end(LANES - 1));
  expect(await client.reasonOf(`localhost:${server.port}`)).toBeNull();
});

test.for([
  ["bytes that are no HTTP/2", Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n")],
  ["a frame longer than any may be", preface([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])],
  [
    "a thousand pings",
    preface(Array.from({ length: 1000 }, () => [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]).flat()),
  ],
  ["a thousand settings", preface(Array.from({ length: 1000 }, () => [0, 0, 0, 4, 0, 0, 0, 0, 0]).flat())],
] as const)("a lane on which come %s ends alone", async ([, bytes]) => {
  await using server = await echo();
  await using egress = await new EgressWorld().start();
  await egress.bind(1, [localhost(server.port)]);
  using other = new LaneClient(egress.end(1));
  const kept = await other.open(`localhost:${server.port}`);
  const hostile = egress.end(0);
  hostile.resume();
  const ended = once(hostile, "close");
  hostile.write(bytes);
  await ended;
  kept.end("goes on");
  expect(await text(kept)).toBe("goes on");
  expect(await other.reasonOf(`localhost:${server.port}`)).toBeNull();
  await soon(() => expect(egress.lines.join("\n")).toMatch(/^egress: lane 0 ended: it /));
});

test("streams that are reset as fast as they are opened end their lane, and no other", async () => {
  await using server = await echo();
  await using egress = await new EgressWorld().start();
  await egress.bind(0, [localhost(server.port)]);
  await egress.bind(1, [localhost(server.port)]);
  using other = new LaneClient(egress.end(1));
  using hostile = new LaneClient(egress.end(0));
  expect(await hostile.reasonOf(`localhost:${server.port}`)).toBeNull();
  while (!hostile.session.closed && !hostile.session.destroyed) {
    const stream = hostile.session.request({ ":method": "CONNECT", ":authority": `localhost:${server.port}` });
    stream.on("error", () => undefined);
    stream.close();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(await other.reasonOf(`localhost:${server.port}`)).toBeNull();
  await soon(() => expect(egress.lines.join("\n")).toContain("egress: lane 0 ended"));
});

test("a Unix socket is reached under its name, where egress was started with the word for it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "egress-"));
  const path = join(folder, "socket");
  const server = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const entry: LaneEntry = { to: "socket", name: "ollama", path };
    await using egress = await new EgressWorld([LOCAL_SOCKETS]).start();
    await egress.bind(0, [entry]);
    using client = new LaneClient(egress.end(0));
    const stream = await client.open("ollama:80");
    stream.end("locally");
    expect(await text(stream)).toBe("locally");
    expect(await client.reasonOf("ollama:81")).toBe("unlisted");
    await using without = await new EgressWorld().start();
    await without.bind(0, [entry]);
    using other = new LaneClient(without.end(0));
    expect(await other.reasonOf("ollama:80")).toBe("unreachable");
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

test("it stops when it is told to, and ends with the supervisor's pipe", async () => {
  await using egress = await new EgressWorld().start();
  expect(await egress.stop()).toMatchObject({ status: 0, signal: null });
  await using left = await new EgressWorld().start();
  left.child.pipe.close();
  expect(await left.child.exited).toMatchObject({ status: 0 });
});

test("it is started once, and its credential comes before", async () => {
  await using twice = await new EgressWorld().start();
  await twice.start();
  expect(await twice.child.exited).toMatchObject({ status: 1 });
  await using late = await new EgressWorld().start();
  await late.child.send({ type: "secret", name: "proxy-credential" }, Buffer.from("user:password"));
  expect(await late.child.exited).toMatchObject({ status: 1 });
});

/** A client's first bytes, and what follows its empty settings. */
function preface(then: readonly number[]): Buffer {
  return Buffer.concat([
    Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
    Buffer.from(then),
  ]);
}
