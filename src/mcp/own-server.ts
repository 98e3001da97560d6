import { Socket } from "node:net";
import type { Duplex } from "node:stream";

/** Of a server in the sandbox: its input and output, which are one socket. Then what it writes as errors. */
const SPOKEN = 4;
const ERRORS = 5;

/** The server that this process was started with: what the supervisor made between the two, and holds nothing of. What it writes as errors goes to our
 *  own standard error, and from there, line by line, to the operational log. */
export function ownServer(): Duplex {
  const errors = new Socket({ fd: ERRORS, readable: true, writable: false });
  errors.on("error", () => undefined);
  errors.pipe(process.stderr, { end: false });
  return new Socket({ fd: SPOKEN, readable: true, writable: true, allowHalfOpen: true });
}
