/** A child that speaks test/support/frames.ts, or worse. argv: a role, and what it does. */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { PROTOCOL } from "../../../src/ipc/frame-common.ts";
import { ownPipe, type Pipe } from "../../../src/ipc/pipe.ts";
import { bytesOf, Talk } from "../frames.ts";

const does = process.argv[3] ?? "echo";
const ready: Talk = { type: "ready", protocol: PROTOCOL, build: process.argv[4] ?? "test" };

/** Writes bytes on the pipe that no pipe of ours would write. */
async function raw(...chunks: readonly Uint8Array[]): Promise<Socket> {
  return await pour(chunks);
}

async function pour(chunks: Iterable<Uint8Array>): Promise<Socket> {
  const socket = new Socket({ fd: 3, readable: true, writable: true });
  socket.on("error", () => undefined);
  socket.resume();
  for (const chunk of chunks) if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
  return socket;
}

function* forever(block: Uint8Array): Generator<Uint8Array> {
  for (;;) yield block;
}

function stay(): void {
  setInterval(() => undefined, 60_000);
}

/** Answers what is said with the same, and ends when told to. */
function echo(greeting: Talk | null, obeys = true): void {
  const pipe: Pipe<Talk, Talk> = ownPipe<Talk, Talk>(Talk, {
    frame(header, payload) {
      if (header.type === "say") void pipe.send(header, payload);
      else if (header.type === "bye") process.exit(3);
      else if (header.type === "stop" && obeys) process.exit(0);
    },
    end: () => undefined,
  });
  if (greeting !== null) void pipe.send(greeting);
}

const DOES: Readonly<Record<string, () => unknown>> = {
  echo: () => echo(null),
  "ready-echo": () => echo(ready),
  stubborn: () => echo(ready, false),
  "ready-twice": () => {
    echo(ready);
    writeSync(3, bytesOf(ready));
  },
  "say-first": () => echo({ type: "say", ref: 1 }),
  "say-behind-ready": async () => {
    const socket = await raw(bytesOf(ready), bytesOf({ type: "say", ref: 7 }));
    socket.once("data", () => process.exit(0));
  },
  "other-protocol": async () => {
    await raw(bytesOf({ ...ready, protocol: 2 }));
    stay();
  },
  mute: () => {
    echo(null, false);
    stay();
  },
  die: () => process.exit(9),
  "ready-and-die": async () => {
    const socket = await raw(bytesOf(ready));
    socket.end(() => process.exit(4));
  },
  "last-words": async () => {
    const socket = await raw(bytesOf(ready), bytesOf({ type: "say", ref: 99 }, Buffer.from("last words")));
    socket.end(() => process.kill(process.pid, "SIGKILL"));
  },
  environment: () => {
    const { argv, execArgv, env } = process;
    const about = { argv: argv.slice(2), execArgv, env };
    const pipe: Pipe<Talk, Talk> = ownPipe<Talk, Talk>(Talk, { frame: () => undefined, end: () => undefined });
    void pipe.send({ type: "say", ref: 0 }, Buffer.from(JSON.stringify(about)));
  },
  malformed: () => raw(Buffer.from("000000060000000200007878", "hex")).then(stay),
  "unknown-frame": () => raw(bytesOf({ type: "nonsense" })).then(stay),
  huge: () => raw(Buffer.from("fffffff000000010", "hex")).then(stay),
  deep: () => raw(bytesOf({ type: "say", ref: JSON.parse("[".repeat(50) + "]".repeat(50)) })).then(stay),
  acknowledge: () => raw(Buffer.from('{"cmd":"NODE_HANDLE_ACK"}\n')).then(stay),
  handle: () => raw(Buffer.from('{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{}}\n')).then(stay),
  "half-and-close": async () => {
    const socket = await raw(bytesOf({ type: "say", ref: 1 }).subarray(0, 14));
    socket.end();
    stay();
  },
  "half-and-wait": () => raw(bytesOf({ type: "say", ref: 1 }).subarray(0, 14)).then(stay),
  endless: async () => {
    // One long line with no frame in it.
    await raw(...Array.from({ length: 2000 }, () => Buffer.alloc(65_536, "x")));
    stay();
  },
  flood: async () => {
    const block = Buffer.concat(Array.from({ length: 1000 }, () => bytesOf({ type: "say", ref: 1 })));
    await pour(forever(block));
  },
  chatter: () => {
    writeSync(1, `${"a".repeat(10)} token xoxb-${"1234567890".repeat(4)} end\n`);
    writeSync(2, "to the \u001b[31mother\u202e stream\u0007\r\n");
    writeSync(1, `${"long ".repeat(2000)}\nnext\n`);
    for (let i = 0; i < 5000; i++) writeSync(1, `line ${i}\n`);
    stay();
  },
  /** Says on descriptor 4 what it is, and passes on what it hears there. */
  joined: () => {
    const pipe: Pipe<Talk, Talk> = ownPipe<Talk, Talk>(Talk, {
      frame: (header) => {
        if (header.type === "say") void lane.send(header, Buffer.from(`from ${process.argv[2] ?? ""}`));
        else process.exit(0);
      },
      end: () => undefined,
    });
    const lane = ownPipe<Talk, Talk>(
      Talk,
      {
        frame: (header, payload) => void pipe.send(header, payload),
        end: () => void pipe.send({ type: "bye" }),
      },
      4,
    );
    void pipe.send(ready);
  },
};

const start = DOES[does];
if (start === undefined) throw new Error(`no child does ${does}`);
await start();
