/** Both sides of a lane, with no HTTP on it. As `egress` it answers on each lane with the list that it was bound to, and says as a verdict what was asked for;
 *  as anything else it is a process that has a lane, and asks on it what it is told to. */
import { existsSync, fstatSync, readdirSync, readlinkSync, writeSync } from "node:fs";
import { Socket } from "node:net";
import { BUILD } from "../../../src/ipc/build.ts";
import { type EgressReason, FIRST_LANE, type FromEgress, OWN_LANE, ToEgress } from "../../../src/ipc/egress-frames.ts";
import { PROTOCOL } from "../../../src/ipc/frame-common.ts";
import { ownPipe, type Pipe } from "../../../src/ipc/pipe.ts";
import { Talk } from "../frames.ts";

/** What a process with a lane asks for: `<reason or nothing> <host> <port>`, or that egress does something to itself. */
function egress(): void {
  const lists = new Map<number, string>();
  const sockets = new Map<number, Socket>();
  let proxy: unknown = null;
  let secret = "";
  const pipe: Pipe<ToEgress, FromEgress> = ownPipe<ToEgress, FromEgress>(ToEgress, {
    frame(header, payload) {
      if (header.type === "stop") process.exit(0);
      if (header.type === "start") ({ proxy } = header);
      if (header.type === "secret") secret = Buffer.from(payload).toString();
      if (header.type !== "bind") return;
      const { lane, ref, entries } = header;
      lists.set(lane, JSON.stringify(entries));
      listen(lane);
      void pipe.send({ type: "bound", lane, ref });
    },
    end: () => undefined,
  });
  const listen = (lane: number): void => {
    if (sockets.has(lane)) return;
    const socket = new Socket({ fd: FIRST_LANE + lane, readable: true, writable: true });
    sockets.set(lane, socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      const [word = "", host = "", port = "443"] = bytes.toString().split(" ");
      if (word === "die") process.exit(7);
      // On the next lane, before anybody has it.
      if (word === "touch") writeSync(FIRST_LANE + lane + 1, "swallowed");
      if (word === "reached") void verdict(lane, null, host, Number(port));
      if (word === "unlisted" || word === "unreachable") void verdict(lane, word, host, Number(port));
      socket.write(JSON.stringify({ lane, list: lists.get(lane), pid: process.pid, proxy, secret }));
    });
  };
  const verdict = async (lane: number, reason: EgressReason | null, host: string, port: number): Promise<void> => {
    await pipe.send({ type: "verdict", lane, port, reason, times: 1 }, Buffer.from(host));
  };
  void pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
}

function holder(): void {
  const hasLane = ((): boolean => {
    try {
      return fstatSync(OWN_LANE).isSocket();
    } catch {
      return false;
    }
  })();
  const lane = hasLane ? new Socket({ fd: OWN_LANE, readable: true, writable: true }) : null;
  const pipe: Pipe<Talk, Talk> = ownPipe<Talk, Talk>(Talk, {
    frame(header, payload) {
      if (header.type === "stop" || header.type === "bye") process.exit(header.type === "stop" ? 0 : 3);
      if (header.type !== "say") return;
      const text = Buffer.from(payload).toString();
      if (text === "descriptors") void pipe.send(header, Buffer.from(descriptors()));
      else lane?.write(text);
    },
    end: () => undefined,
  });
  lane?.on("error", () => undefined);
  lane?.on("data", (bytes: Buffer) => void pipe.send({ type: "say", ref: 1 }, bytes));
  void pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
}

/** The numbers of the sockets and pipes that this process was started with. */
function descriptors(): string {
  if (!existsSync("/proc/self/fd")) return "";
  const inherited = readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return Number(fd) <= FIRST_LANE + 64 && readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false;
    }
  });
  return inherited.join(" ");
}

if (process.argv[2] === "egress") egress();
else holder();
