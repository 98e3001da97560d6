import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { connect as connectTls } from "node:tls";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { type Hello, HelloReader, MAX_HELLO_BYTES } from "../../src/egress/hello.ts";
import { serving } from "../support/serving.ts";

/** The first bytes that a client sends to a server which never answers. */
async function captured(start: (port: number) => Disposable): Promise<Buffer> {
  const first = Promise.withResolvers<Buffer>();
  await using server = await serving(
    createServer((socket) => socket.once("data", (chunk: Buffer) => first.resolve(chunk))),
  );
  using _client = start(server.port);
  return await first.promise;
}

function program(command: string, args: readonly string[]): Disposable {
  const child = spawn(command, args, { stdio: "ignore" });
  return { [Symbol.dispose]: () => void child.kill("SIGKILL") };
}

function nodeClient(options: { servername?: string; maxVersion?: "TLSv1.2"; ALPNProtocols?: string[] }) {
  return (port: number): Disposable => {
    const socket = connectTls({ host: "127.0.0.1", port, ...options });
    socket.on("error", () => undefined);
    return { [Symbol.dispose]: () => void socket.destroy() };
  };
}

const clients: Record<string, (port: number) => Disposable> = {
  node: nodeClient({ servername: "chat.example" }),
  "node with TLS 1.2": nodeClient({ servername: "chat.example", maxVersion: "TLSv1.2" }),
  "node with HTTP/2": nodeClient({ servername: "Chat.Example", ALPNProtocols: ["h2", "http/1.1"] }),
  "openssl s_client": (port) =>
    program("openssl", ["s_client", "-connect", `127.0.0.1:${port}`, "-servername", "chat.example"]),
  "openssl s_client with TLS 1.2": (port) =>
    program("openssl", ["s_client", "-tls1_2", "-connect", `127.0.0.1:${port}`, "-servername", "chat.example"]),
  curl: (port) =>
    program("curl", [
      "-s",
      "--noproxy",
      "*",
      "--resolve",
      `chat.example:${port}:127.0.0.1`,
      `https://chat.example:${port}/`,
    ]),
};

const hellos = new Map<string, Buffer>();
beforeAll(async () => {
  for (const [name, start] of Object.entries(clients)) hellos.set(name, await captured(start));
});

function helloOf(name: string): Buffer {
  const bytes = hellos.get(name);
  if (bytes === undefined) throw new Error(`nothing was captured of ${name}`);
  return bytes;
}

function read(...chunks: readonly Uint8Array[]): Hello {
  const reader = new HelloReader();
  return chunks.map((chunk) => reader.push(chunk)).at(-1) ?? { state: "more" };
}

/** The same message in records of at most `size` bytes. */
function inRecords(hello: Uint8Array, size: number): Buffer {
  const message = hello.subarray(5);
  const records: Uint8Array[] = [];
  for (let at = 0; at < message.length; at += size) {
    const fragment = message.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 0xff]), fragment);
  }
  return Buffer.concat(records);
}

const NAMED: Hello = { state: "hello", name: "chat.example" };

test.for(Object.keys(clients))("the server name of %s is read, whole and byte by byte", (client) => {
  const bytes = helloOf(client);
  expect(read(bytes)).toEqual(NAMED);
  const reader = new HelloReader();
  for (const [index, byte] of bytes.entries()) {
    const expected = index === bytes.length - 1 ? NAMED : { state: "more" };
    expect(reader.push(Uint8Array.of(byte))).toEqual(expected);
  }
});

test.for([1, 2, 3, 50, 511])("a hello in records of %i bytes is read", (size) => {
  for (const client of Object.keys(clients)) expect(read(inRecords(helloOf(client), size))).toEqual(NAMED);
});

test("what follows the hello does not change it", () => {
  expect(read(Buffer.concat([helloOf("node"), Buffer.from("more")]))).toEqual(NAMED);
  expect(read(helloOf("node"), Buffer.from("more"))).toEqual(NAMED);
  expect(read(Buffer.concat([helloOf("node"), Buffer.alloc(MAX_HELLO_BYTES)]))).toEqual(NAMED);
});

test("a hello without a server name has none", async () => {
  expect(read(await captured(nodeClient({})))).toEqual({ state: "hello", name: null });
});

test("a second server name, another kind of name, or an empty one is no hello", () => {
  expect(read(crafted([extension(0, names([0, "chat.example"]))]))).toEqual(NAMED);
  const grease = extension(0x0a0a, Buffer.alloc(1));
  expect(
    read(crafted([grease, extension(0, names([0, "chat.example"])), extension(0xfe0d, Buffer.from("inner"))])),
  ).toEqual(NAMED);
  for (const extensions of [
    [extension(0, names([0, "a.example"])), extension(0, names([0, "b.example"]))],
    [extension(0, names([0, "a.example"], [0, "b.example"]))],
    [extension(0, names([1, "a.example"]))],
    [extension(0, names([0, ""]))],
    [extension(0, names([0, "a\0.example"]))],
    [extension(0, names())],
    [extension(0, Buffer.alloc(0))],
    [extension(0, Buffer.concat([names([0, "a.example"]), Buffer.alloc(1)]))],
  ])
    expect(read(crafted(extensions))).toEqual({ state: "other" });
});

test.for([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
  ["an SSL 2 hello", Buffer.from([0x80, 0x2e, 0x01, 0x03, 0x01])],
  ["an alert", Buffer.from([21, 3, 3, 0, 2, 1, 0])],
  ["an empty record", Buffer.from([22, 3, 1, 0, 0])],
  ["a record longer than any may be", Buffer.from([22, 3, 1, 0x40, 1])],
  ["a server's hello", Buffer.from([22, 3, 3, 0, 1, 2])],
  ["a hello longer than is held", Buffer.from([22, 3, 1, 0, 4, 1, 1, 0, 0])],
] as const)("%s is no hello", ([, bytes]) => {
  expect(read(bytes)).toEqual({ state: "other" });
});

test("records of one byte do not make it hold more than the limit", () => {
  const reader = new HelloReader();
  const record = Buffer.from([22, 3, 1, 0, 1, 1]);
  const long = Buffer.from([22, 3, 1, 0, 4, 1, 0, 0x7f, 0xf0]);
  expect(reader.push(long)).toEqual({ state: "more" });
  let verdict: Hello = { state: "more" };
  let pushed = long.length;
  for (; verdict.state === "more"; pushed += record.length) verdict = reader.push(record);
  expect(verdict).toEqual({ state: "other" });
  expect(pushed).toBeLessThanOrEqual(MAX_HELLO_BYTES + record.length);
});

test("whatever the bytes are and however they are cut, it answers, and the same", () => {
  const anything = fc.uint8Array({ maxLength: 600 });
  const changed = fc
    .tuple(
      fc.constantFrom(...Object.keys(clients)),
      fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 6 }),
      fc.nat(2000),
    )
    .map(([client, changes, length]) => {
      const bytes = Uint8Array.from(helloOf(client));
      for (const [at, to] of changes) bytes[at % bytes.length] = to;
      return bytes.subarray(0, length);
    });
  const startsRight = anything.map((bytes) => Buffer.concat([Buffer.from([22, 3, 1, 0, 200, 1, 0, 0, 196]), bytes]));
  fc.assert(
    fc.property(fc.oneof(anything, changed, startsRight), fc.array(fc.nat(600), { maxLength: 5 }), (bytes, cuts) => {
      const whole = read(bytes);
      const at = [0, ...cuts.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b), bytes.length];
      const pieces = at.slice(1).map((end, index) => bytes.subarray(at[index] ?? 0, end));
      expect(read(...pieces)).toEqual(whole);
      if (whole.state === "hello" && whole.name !== null) expect(whole.name).toMatch(/^[!-@[-~]{1,255}$/);
    }),
    { numRuns: 10_000 },
  );
});

function vector(lengthBytes: 1 | 2, bytes: Uint8Array): Buffer {
  const length = lengthBytes === 1 ? [bytes.length] : [bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from(length), bytes]);
}

function extension(type: number, data: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 0xff]), vector(2, data)]);
}

function names(...each: readonly [kind: number, name: string][]): Buffer {
  return vector(
    2,
    Buffer.concat(each.map(([kind, name]) => Buffer.concat([Buffer.from([kind]), vector(2, Buffer.from(name))]))),
  );
}

/** A ClientHello with these extensions, in one record. */
function crafted(extensions: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    vector(1, Buffer.alloc(32)),
    vector(2, Buffer.from([0x13, 0x01])),
    vector(1, Buffer.from([0])),
    vector(2, Buffer.concat(extensions)),
  ]);
  const message = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 0xff]), body]);
  return Buffer.concat([Buffer.from([22, 3, 1]), vector(2, message)]);
}
