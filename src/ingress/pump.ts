import type { Socket } from "node:net";
import type { Lane } from "../ipc/lane.ts";
import type { LaneConnection } from "../ipc/lane-connection.ts";

export interface PumpLimits {
  /** From the accepted connection to its first byte. */
  firstByteMs: number;
  /** Without a byte in either direction. */
  idleMs: number;
  /** How long a finished connection may still take what was sent to it. */
  lingerMs: number;
}

export const PUMP_LIMITS: PumpLimits = { firstByteMs: 15_000, idleMs: 600_000, lingerMs: 1000 };

/** Carries the bytes of an accepted connection over the lane and back, reading none of them. web hears of a connection with its first byte. */
export function pump(socket: Socket, lane: Lane, limits: PumpLimits = PUMP_LIMITS): void {
  socket.on("error", () => undefined); // `close` follows, and is what counts
  socket.setTimeout(limits.firstByteMs, () => socket.destroy());
  socket.once("end", () => socket.end());
  socket.once("data", (first: Buffer) => {
    socket.removeAllListeners("end");
    socket.removeAllListeners("timeout");
    socket.setTimeout(limits.idleMs, () => socket.destroy());
    const connection = lane.open();
    if (connection === null) {
      socket.resetAndDestroy();
      return;
    }
    connection.write(first);
    join(socket, connection, limits);
  });
}

function join(socket: Socket, connection: LaneConnection, limits: PumpLimits): void {
  connection.on("error", () => undefined); // `close` follows
  socket.on("close", () => connection.destroy());
  // web may have torn it: what it said before still goes out.
  connection.on("close", () => linger(socket, limits.lingerMs));
  socket.pipe(connection);
  connection.pipe(socket);
}

/** web has said its last word: what it said must still arrive, so the socket is not torn while its peer is sending. */
function linger(socket: Socket, milliseconds: number): void {
  if (socket.destroyed) return;
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  socket.once("close", () => clearTimeout(timer));
  socket.end();
  socket.resume();
}
