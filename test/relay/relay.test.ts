import { createServer as createHttpServer, type RequestListener } from "node:http";
import { connect, createServer } from "node:net";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { endToEnd } from "../../src/relay/headers.ts";
import { Relay } from "../../src/relay/relay.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { echo, laneWorld, namesAre } from "../egress/lane-world.ts";
import { serving } from "../support/serving.ts";

interface RelayWorld extends AsyncDisposable {
  /** Sends bytes to the relay, and reads until it ends the connection. */
  say(request: string): Promise<string>;
}

/** A relay over a lane that allows `chat.example` at a port. */
async function relayTo(port: number): Promise<RelayWorld> {
  const world = await laneWorld(
    [{ to: "host", host: "chat.example", port, tls: false, private: true }],
    namesAre({ "chat.example": ["127.0.0.1"] }),
  );
  const relay = new Relay(new Tunnel(() => world.near, "exec"));
  const at = await relay.listen(0);
  return {
    say: async (request) => {
      const socket = connect({ host: "127.0.0.1", port: at, allowHalfOpen: true });
      socket.write(request);
      return await text(socket);
    },
    [Symbol.asyncDispose]: async () => {
      await relay.close();
      await world[Symbol.asyncDispose]();
    },
  };
}

async function httpServer(answer: RequestListener): ReturnType<typeof serving> {
  return await serving(createHttpServer({ keepAlive: false }, answer));
}

test("a CONNECT becomes a connection, and what came with it is not lost", async () => {
  await using server = await serving(
    createServer((socket) => socket.once("data", (chunk: Buffer) => socket.end(`heard ${chunk.toString()}`))),
  );
  await using relay = await relayTo(server.port);
  const heard = await relay.say(`CONNECT chat.example:${server.port} HTTP/1.1\r\nHost: x\r\n\r\nat once`);
  expect(heard).toBe("HTTP/1.1 200 Connection established\r\n\r\nheard at once");
});

test.for([
  ["CONNECT other.example:443 HTTP/1.1\r\nHost: x\r\n\r\n", 403, "unlisted", "wirken egress show exec"],
  ["CONNECT 127.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n", 403, "literal", "wirken egress show exec"],
  ["CONNECT other.example HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed", "a host and a port"],
  ["GET http://other.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 403, "unlisted", "wirken egress show exec"],
  ["GET / HTTP/1.1\r\nHost: chat.example\r\nConnection: close\r\n\r\n", 400, "malformed", "http:// URIs"],
  ["GET https://chat.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed", "CONNECT"],
  ["GET http://a:b@chat.example/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, "malformed", "http:// URIs"],
  ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "malformed", "no HTTP request"],
] as const)("%j is answered with %i, %s", async ([request, status, reason, words]) => {
  await using server = await echo();
  await using relay = await relayTo(server.port);
  const heard = await relay.say(request);
  expect(heard).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(heard).toContain(`\r\nWirken-Reason: ${reason}\r\n`);
  expect(heard).toContain(words);
});

test("what is meant for the proxy alone is not handed on, in either direction", async () => {
  const heard: string[][] = [];
  await using server = await httpServer((asked, answer) => {
    heard.push(asked.rawHeaders);
    const headers = "X-Mine kept Proxy-Authenticate Basic Connection X-Hop X-Hop dropped Set-Cookie a=1 Set-Cookie b=2";
    answer.writeHead(200, headers.split(" "));
    answer.end("body");
  });
  await using relay = await relayTo(server.port);
  const url = `http://chat.example:${server.port}/a%20b?c=d`;
  const said = await relay.say(
    [
      `GET ${url} HTTP/1.1`,
      "Host: another.example",
      "Proxy-Authorization: Basic c2VjcmV0",
      "Proxy-Connection: keep-alive",
      "Connection: close, X-Private",
      "X-Private: dropped",
      "Accept: */*",
      "",
      "",
    ].join("\r\n"),
  );
  expect(said).toContain("X-Mine: kept\r\n");
  expect(said).toContain("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n");
  expect(said).toMatch(/body/);
  expect(said).not.toMatch(/X-Hop|Proxy-/i);
  expect(heard).toEqual([["Accept", "*/*", "Host", `chat.example:${server.port}`, "Connection", "close"]]);
});

test("a body of unknown length stays one body, whatever the method", async () => {
  const heard: string[] = [];
  await using server = await httpServer((asked, answer) => {
    void text(asked).then((body) => {
      heard.push(`${asked.method ?? ""} ${asked.url ?? ""} ${body}`);
      answer.end();
    });
  });
  await using relay = await relayTo(server.port);
  const hidden = `GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n`;
  const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  await relay.say(
    `GET http://chat.example:${server.port}/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`,
  );
  expect(heard).toEqual([`GET /open ${hidden}`]);
});

test("an answer that breaks off does not look whole", async () => {
  await using server = await httpServer((_asked, answer) => {
    answer.writeHead(200, { "Content-Length": 1000 });
    answer.write("the first part", () => answer.destroy());
  });
  await using relay = await relayTo(server.port);
  const asked = `GET http://chat.example:${server.port}/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`;
  const said = await relay.say(asked).catch((error: unknown) => String(error));
  expect(said).not.toMatch(/^HTTP\/1\.1 200[^]*\r\n\r\n[^]{1000}/);
  await using chunked = await httpServer((_request, answer) => {
    answer.write("the first part", () => answer.destroy());
  });
  await using other = await relayTo(chunked.port);
  const rest = await other.say(asked.replace(String(server.port), String(chunked.port))).catch(() => "");
  // The last chunk of a body that is whole.
  expect(rest).not.toMatch(/\r\n0\r\n\r\n$/);
});

test("headers keep their order and their spelling", () => {
  const raw = ["Accept", "a", "TE", "trailers", "X-One", "1", "Keep-Alive", "x", "connection", "x-two", "X-Two", "2"];
  expect(endToEnd(raw)).toEqual(["Accept", "a", "X-One", "1"]);
  expect(endToEnd(raw, ["accept"])).toEqual(["X-One", "1"]);
});
