import { Socket } from "node:net";
import { confine } from "../confine/confine.ts";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { Lane } from "../ipc/lane.ts";
import { ownPipe, type PipeEnd } from "../ipc/pipe.ts";
import { type FromWeb, ToWeb } from "../ipc/web-frames.ts";
import { readPage } from "./assets.ts";
import { Calls } from "./calls.ts";
import { EventStreams } from "./event-streams.ts";
import { serve } from "./server.ts";

const page = readPage(); // the walls leave no files
confine("web");

/** The socketpair whose other end is ingress's. */
const LANE_FD = 4;
/** After `stop`, streams have this long to hear of it. */
const DRAIN_MS = 100;

let streams: EventStreams | null = null;

const supervisor = ownPipe<ToWeb, FromWeb>(ToWeb, {
  frame(frame, payload) {
    switch (frame.type) {
      case "start":
        start(frame.origin, frame.version);
        return;
      case "stop":
        streams?.endAll();
        setTimeout(() => process.exit(0), DRAIN_MS);
        return;
      case "session.ended":
        streams?.endSession(frame.session);
        return;
      case "login.done":
      case "login.refused":
      case "event":
      case "answer":
      case "refused":
      case "unauthenticated":
        calls.hear(frame, payload);
    }
  },
  end: (end) => leave("the supervisor's pipe", end),
});

const calls = new Calls((frame, payload) => {
  // A pipe that cannot be written to has ended, and says so by itself.
  supervisor.send(frame, payload).catch(() => undefined);
});

function start(origin: string, version: string): void {
  if (streams !== null) leave("the supervisor's pipe", { reason: "protocol", detail: "started twice" });
  streams = new EventStreams(calls, version);
  const server = serve({ origin, page, calls, streams });
  void new Lane(new Socket({ fd: LANE_FD, readable: true, writable: true }), {
    connection: (connection) => server.emit("connection", connection),
    end: (end) => leave("the lane from ingress", end),
  });
  void supervisor.send({ type: "serving" });
}

function leave(what: string, end: PipeEnd): never {
  if (end.reason === "closed") process.exit(0);
  process.stderr.write(`web: ${what} ended: ${end.reason}: ${end.detail}\n`);
  process.exit(1);
}

void supervisor.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
