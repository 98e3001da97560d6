import { Socket } from "node:net";
import { confine, dropNetwork } from "../confine/confine.ts";
import { OWN_LANE } from "../ipc/egress-frames.ts";
import { Tunnel } from "../tunnel/tunnel.ts";
import { Relay } from "./relay.ts";

confine("relay");

const lane = new Socket({ fd: OWN_LANE, readable: true, writable: true });
const relay = new Relay(new Tunnel(() => lane, "exec"));

async function run(port: number): Promise<void> {
  await relay.listen(port);
  // From here on this process accepts connections and can open none.
  dropNetwork();
  // Whoever waits for it starts the command now.
  process.stdout.write("ready\n");
}

run(Number(process.argv[3] ?? Number.NaN)).catch((error: unknown) => {
  process.stderr.write(`relay: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
