import { type Agent, Agent as HttpsAgent, request } from "node:https";
import { connect, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { OWN_LANE } from "../../src/ipc/egress-frames.ts";
import { Tunnel } from "../../src/tunnel/tunnel.ts";
import { median } from "./figure.ts";

/** A child as a role of ours is, which asks a server through its lane or directly, and prints what it took as JSON.
 *  `argv`: `lane` or `direct`; the HTTPS port; the plain port; the server's certificate. */
const [, , way = "", httpsPort = "", plainPort = "", ca = ""] = process.argv;
const LATER = 40;
const BYTES = 256 * 1_048_576;

const tunnel = new Tunnel(() => new Socket({ fd: OWN_LANE, readable: true, writable: true }), "bench");

function open(port: number): Duplex {
  return way === "lane" ? tunnel.connect("localhost", port) : connect({ host: "localhost", port });
}

/** A connection of its own for every request. */
function agent(): Agent {
  const made = new HttpsAgent({ keepAlive: false });
  made.createConnection = () => connectTls({ socket: open(Number(httpsPort)), servername: "localhost", ca });
  return made;
}

async function ask(): Promise<number> {
  const begun = performance.now();
  await new Promise<void>((resolve, reject) => {
    const asked = request({ host: "localhost", port: Number(httpsPort), path: "/", agent: agent() }, (response) => {
      response.resume();
      response.once("end", resolve);
    });
    asked.once("error", reject);
    asked.end();
  });
  return performance.now() - begun;
}

/** Megabytes a second of so many bytes from the server. */
async function download(): Promise<number> {
  const begun = performance.now();
  const stream = open(Number(plainPort));
  stream.write(`${BYTES}\n`);
  let left = BYTES;
  await new Promise<void>((resolve, reject) => {
    stream.on("data", (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) resolve();
    });
    stream.once("error", reject);
    stream.once("end", () => reject(new Error("the server ended")));
  });
  stream.destroy();
  return BYTES / 1e6 / ((performance.now() - begun) / 1000);
}

const before = process.cpuUsage();
const first = await ask();
const { user, system } = process.cpuUsage(before);
const later: number[] = [];
for (let count = 0; count < LATER; count++) later.push(await ask());
const rate = await download();
process.stdout.write(
  `${JSON.stringify({ first, firstProcessor: (user + system) / 1000, later: median(later), rate })}\n`,
  () => process.exit(0),
);
