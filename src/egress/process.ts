import { Socket } from "node:net";
import { BUILD } from "../ipc/build.ts";
import { FIRST_LANE, type FromEgress, LANES, ToEgress } from "../ipc/egress-frames.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { ownPipe, type PipeEnd } from "../ipc/pipe.ts";
import { PATIENCE } from "./connection.ts";
import { Lane, LANE_SHARE, type Room } from "./lane.ts";
import { Proxy } from "./proxy.ts";
import { RESOLVER_THREADS, systemResolve } from "./resolve.ts";
import type { Verdict } from "./verdicts.ts";

/** Connections of all lanes together: below the descriptors that this process may have open, with some for questions and second attempts. */
const ALL_CONNECTIONS = 900;

/** The process that is the one way out. It opens no file, and it knows no secret but the proxy's. */
export function runEgress(): void {
  // Before the first question makes the threads.
  process.env["UV_THREADPOOL_SIZE"] = String(RESOLVER_THREADS);
  const room = roomFor(ALL_CONNECTIONS - LANES * LANE_SHARE);
  let credential: Uint8Array | null = null;
  let proxy: Proxy | null = null;
  let lanes: readonly Lane[] | null = null;

  const supervisor = ownPipe<ToEgress, FromEgress>(ToEgress, {
    frame(frame, payload) {
      switch (frame.type) {
        case "secret":
          if (lanes !== null) throw new TypeError("a credential comes before the start");
          credential = payload;
          return;
        case "start":
          if (lanes !== null) throw new TypeError("this process is started once");
          proxy = frame.proxy === null ? null : new Proxy(frame.proxy, credential, systemResolve);
          lanes = Array.from({ length: LANES }, (_, index) => open(index));
          return;
        case "bind": {
          const lane = lanes?.[frame.lane];
          if (lane === undefined) throw new TypeError("no lane is bound before the start");
          lane.bind(frame.entries);
          void supervisor.send({ type: "bound", lane: frame.lane, ref: frame.ref });
          return;
        }
        case "stop":
          process.exit(0);
      }
    },
    end: leave,
  });

  function open(index: number): Lane {
    return new Lane(new Socket({ fd: FIRST_LANE + index, readable: true, writable: true, allowHalfOpen: true }), {
      resolve: systemResolve,
      proxy: () => proxy,
      room,
      patience: PATIENCE,
      tell: (verdict, times) => tell(index, verdict, times),
      ended: (why) => {
        if (why !== null) process.stderr.write(`egress: lane ${index} ended: ${why}\n`);
      },
    });
  }

  function tell(lane: number, { host, port, reason }: Verdict, times: number): void {
    // A pipe that is over ends this process.
    supervisor.send({ type: "verdict", lane, port, reason, times }, Buffer.from(host)).catch(() => undefined);
  }

  void supervisor.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
}

function roomFor(most: number): Room {
  let taken = 0;
  return {
    take: () => {
      if (taken >= most) return false;
      taken++;
      return true;
    },
    give: () => {
      taken--;
    },
  };
}

/** Without the supervisor there is no way out. */
function leave(end: PipeEnd): void {
  if (end.reason !== "closed")
    process.stderr.write(`egress: the supervisor's pipe ended: ${end.reason}: ${end.detail}\n`);
  process.exit(end.reason === "closed" ? 0 : 1);
}
