import { createServer } from "node:net";
import { text } from "node:stream/consumers";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { expect, test } from "vitest";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { certificateFor } from "../support/certificate.ts";
import { upstreamProxy } from "../support/upstream-proxy.ts";
import { serving } from "../support/serving.ts";
import { echo, laneWorld, namesAre } from "./lane-world.ts";

function host(name: string, port: number, inside = false): LaneEntry {
  return { to: "host", host: name, port, tls: false, private: inside };
}

const NO_NAMES = namesAre({});

test("a host is reached through the company's proxy, which resolves its name", async () => {
  await using server = await echo();
  const company = upstreamProxy({ names: { "chat.example:443": server.port } });
  await using proxy = await serving(company.server);
  await using world = await laneWorld([host("chat.example", 443), host("gone.example", 443)], NO_NAMES, {
    proxy: { host: "127.0.0.1", port: proxy.port, tls: false },
  });
  const stream = await world.client.open("chat.example:443");
  stream.end("through the proxy");
  expect(await text(stream)).toBe("through the proxy");
  expect(await world.client.reasonOf("gone.example:443")).toBe("unreachable");
  expect(await world.client.reasonOf("other.example:443")).toBe("unlisted");
  // What is on no list is not even asked for.
  expect(company.asked).toEqual(["chat.example:443", "gone.example:443"]);
});

test("a proxy that wants a credential gets it, and a wrong one reaches nothing", async () => {
  await using server = await echo();
  const company = upstreamProxy({ names: { "chat.example:443": server.port }, credential: "jo:s€cret" });
  await using proxy = await serving(company.server);
  const way = { host: "127.0.0.1", port: proxy.port, tls: false };
  const list = [host("chat.example", 443)];
  await using right = await laneWorld(list, NO_NAMES, { proxy: way, credential: "jo:s€cret" });
  expect(await right.client.reasonOf("chat.example:443")).toBeNull();
  for (const credential of ["jo:other", "jo:s€cre", undefined]) {
    const options = credential === undefined ? { proxy: way } : { proxy: way, credential };
    await using wrong = await laneWorld(list, NO_NAMES, options);
    expect(await wrong.client.reasonOf("chat.example:443")).toBe("unreachable");
  }
});

test("a proxy is spoken to over TLS, and one with another's certificate is not", async () => {
  const certificate = certificateFor("proxy.example");
  await using server = await echo();
  const company = upstreamProxy({ names: { "chat.example:443": server.port }, tls: certificate });
  await using proxy = await serving(company.server);
  const resolve = namesAre({ "proxy.example": ["127.0.0.1"], "other.example": ["127.0.0.1"] });
  const before = getCACertificates("default");
  setDefaultCACertificates([...before, certificate.cert]);
  try {
    const list = [host("chat.example", 443)];
    const through = (name: string) => ({ proxy: { host: name, port: proxy.port, tls: true } });
    await using right = await laneWorld(list, resolve, through("proxy.example"));
    const stream = await right.client.open("chat.example:443");
    stream.end("inside TLS");
    expect(await text(stream)).toBe("inside TLS");
    await using wrong = await laneWorld(list, resolve, through("other.example"));
    expect(await wrong.client.reasonOf("chat.example:443")).toBe("unreachable");
  } finally {
    setDefaultCACertificates(before);
  }
});

test("what the operator wrote down and leads inside is reached without the proxy", async () => {
  await using server = await echo();
  const company = upstreamProxy({ names: { "outside.example:443": server.port } });
  await using proxy = await serving(company.server);
  const names = namesAre({ "inside.example": ["127.0.0.1"], "outside.example": ["93.184.216.34"] });
  const list: LaneEntry[] = [
    host("inside.example", server.port, true),
    host("outside.example", 443, true),
    { to: "address", address: "127.0.0.1", port: server.port, tls: false },
  ];
  await using world = await laneWorld(list, names, { proxy: { host: "127.0.0.1", port: proxy.port, tls: false } });
  expect(await world.client.reasonOf(`inside.example:${server.port}`)).toBeNull();
  expect(await world.client.reasonOf(`127.0.0.1:${server.port}`)).toBeNull();
  expect(company.asked).toEqual([]);
  expect(await world.client.reasonOf("outside.example:443")).toBeNull();
  expect(company.asked).toEqual(["outside.example:443"]);
});

test.for([
  ["closes", ""],
  ["speaks something else", "SSH-2.0-OpenSSH\r\n\r\n"],
  ["refuses", "HTTP/1.1 403 Forbidden\r\n\r\n"],
  ["answers with a status that begins like the right one", "HTTP/1.1 2000\r\n\r\n"],
  ["never ends its head", `HTTP/1.1 200 OK\r\n${"X-Filler: 12345678\r\n".repeat(2000)}`],
] as const)("a proxy that %s reaches nothing", async ([, answer]) => {
  await using proxy = await serving(createServer((socket) => socket.once("data", () => socket.end(answer))));
  await using world = await laneWorld([host("chat.example", 443)], NO_NAMES, {
    proxy: { host: "127.0.0.1", port: proxy.port, tls: false },
  });
  expect(await world.client.reasonOf("chat.example:443")).toBe("unreachable");
});

test("bytes that come with the proxy's answer are not lost", async () => {
  await using proxy = await serving(
    createServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\n\r\nfirst bytes"))),
  );
  await using world = await laneWorld([host("chat.example", 443)], NO_NAMES, {
    proxy: { host: "127.0.0.1", port: proxy.port, tls: false },
  });
  const stream = await world.client.open("chat.example:443");
  expect(await text(stream)).toBe("first bytes");
});
