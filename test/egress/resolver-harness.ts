import { createServer, type Server } from "node:net";
import type { LaneEntry } from "../../src/ipc/egress-frames.ts";
import { changingResolver } from "../support/changing-resolver.ts";
import { LaneClient } from "../support/lane-client.ts";
import { EgressWorld } from "./egress-world.ts";

/** Runs in a network of its own, in which 127.0.0.1:53 is the resolver and a public address is this machine's: egress asks a real resolver, which
 *  changes its answer, and connects for real. Prints what came of it as JSON. */

const PUBLIC = "93.184.216.34";
const PORT = 8080;
const SLOW_QUESTIONS = 6;

/** What a name leads to, question by question; the last answer stays. Null: no answer at all. */
const NAMES: Readonly<Record<string, (string | null)[]>> = {
  "rebinding.example": [PUBLIC, "127.0.0.1"],
  "honest.example": [PUBLIC],
  "slow.example": [null],
};
const dns = await changingResolver(NAMES);

const reached: Record<string, number> = { [PUBLIC]: 0, "127.0.0.1": 0 };
const servers: Server[] = [];
for (const address of Object.keys(reached)) {
  const server = createServer((socket) => {
    reached[address] = (reached[address] ?? 0) + 1;
    socket.on("error", () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(PORT, address, resolve));
  servers.push(server);
}

const list = (inside: boolean): LaneEntry[] =>
  Object.keys({ ...NAMES, "nowhere.example": [] }).map((host) => ({
    to: "host",
    host,
    port: PORT,
    tls: false,
    private: inside,
  }));

await using egress = await new EgressWorld().start();
await egress.bind(0, list(false));
await egress.bind(1, list(false));
await egress.bind(2, list(true));
using strict = new LaneClient(egress.end(0));
using other = new LaneClient(egress.end(1));
using lenient = new LaneClient(egress.end(2));
const rebinding = `rebinding.example:${PORT}`;
const first = { reason: await strict.reasonOf(rebinding), reached: { ...reached } };
const second = { reason: await strict.reasonOf(rebinding), reached: { ...reached } };
// That the second answer would have led there.
const allowed = { reason: await lenient.reasonOf(rebinding), reached: { ...reached } };
const nowhere = await strict.reasonOf(`nowhere.example:${PORT}`);

const order: string[] = [];
const slow = Array.from({ length: SLOW_QUESTIONS }, async () => {
  const reason = await strict.reasonOf(`slow.example:${PORT}`);
  order.push("slow");
  return reason;
});
const honest = await other.reasonOf(`honest.example:${PORT}`);
order.push("honest");
const slowReasons = await Promise.all(slow);

process.stdout.write(JSON.stringify({ first, second, allowed, nowhere, honest, order, slowReasons }));
for (const server of servers) server.close();
await dns[Symbol.asyncDispose]();
