import { fstatSync } from "node:fs";
import { Socket } from "node:net";
import { OWN_LANE } from "../ipc/egress-frames.ts";
import { Dialler } from "./dialler.ts";
import { routeFetch } from "./route-fetch.ts";
import { Tunnel } from "./tunnel.ts";

export interface OwnTunnel {
  readonly tunnel: Tunnel;
  readonly dialler: Dialler;
}

/** A process that lost its lane is started again with another by the supervisor; this long it may still say what came of what it did. */
const LAST_WORDS_MS = 1000;

let own: OwnTunnel | null = null;

/** Takes this process's lane, descriptor 4, and makes `fetch` use it. Where it was given none, every connection fails: a role that has a lane may open
 *  no socket.
 *  @param name of this process, as `wirken egress show` takes it. */
export function takeLane(name: string): OwnTunnel {
  const lane = isLane() ? () => new Socket({ fd: OWN_LANE, readable: true, writable: true }) : null;
  const tunnel = new Tunnel(lane, name, leave);
  const dialler = new Dialler(tunnel);
  routeFetch(dialler);
  own = { tunnel, dialler };
  return own;
}

/** For a library that is told by an option how to connect. @returns null in a process that never took a lane: no child of the daemon. */
export function ownTunnel(): OwnTunnel | null {
  return own;
}

function leave(): void {
  process.stderr.write("wirken: the way to the network is gone, and this process with it\n");
  setTimeout(() => process.exit(1), LAST_WORDS_MS);
}

function isLane(): boolean {
  try {
    return fstatSync(OWN_LANE).isSocket();
  } catch {
    return false;
  }
}
