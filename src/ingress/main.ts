import { type Server, Socket } from "node:net";
import { confine, dropNetwork } from "../confine/confine.ts";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { type FromIngress, ToIngress } from "../ipc/ingress-frames.ts";
import { Lane } from "../ipc/lane.ts";
import { ownPipe, type PipeEnd } from "../ipc/pipe.ts";
import { listenOnLoopback } from "./listener.ts";
import { pump } from "./pump.ts";

confine("ingress");

/** The socketpair whose other end is web's. */
const LANE_FD = 4;
/** After `stop`, what web still says goes out, until web is gone or for this long. */
const DRAIN_MS = 1000;
/** What was handed to the sockets leaves before this process does. */
const FLUSH_MS = 20;

let server: Server | null = null;
let state: "waiting" | "opening" | "listening" = "waiting";

const lane = new Lane(new Socket({ fd: LANE_FD, readable: true, writable: true }), {
  end: (end) => leave("the lane to web", end),
});

const supervisor = ownPipe<ToIngress, FromIngress>(ToIngress, {
  frame(frame) {
    switch (frame.type) {
      case "start":
        if (state === "waiting") void start(frame.port);
        else leave("the supervisor's pipe", { reason: "protocol", detail: "started twice" });
        return;
      case "stop":
        server?.close();
        setTimeout(() => process.exit(0), DRAIN_MS);
        return;
    }
  },
  end: (end) => leave("the supervisor's pipe", end),
});

async function start(port: number): Promise<void> {
  state = "opening";
  const outcome = await listenOnLoopback(port, (socket) => pump(socket, lane));
  if (outcome.state === "taken") {
    state = "waiting"; // the supervisor may name another port
    void supervisor.send({ type: "taken", port }, Buffer.from(outcome.why));
    return;
  }
  // From here on this process accepts connections and can open none.
  dropNetwork();
  state = "listening";
  server = outcome.server;
  void supervisor.send({ type: "listening", port: outcome.port });
}

function leave(what: string, end: PipeEnd): void {
  if (end.reason === "closed") {
    setTimeout(() => process.exit(0), FLUSH_MS);
    return;
  }
  process.stderr.write(`ingress: ${what} ended: ${end.reason}: ${end.detail}\n`);
  process.exit(1);
}

void supervisor.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
