import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Two ends of one real local socket, both in this process: what one side is given is the kernel's copy, never the other's memory. */
export async function socketPair(): Promise<[Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), "pair-"));
  const server = createServer();
  server.listen(join(folder, "socket"));
  await once(server, "listening");
  const accepted = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const near = connect(join(folder, "socket"));
  const far = await accepted;
  server.close();
  rmSync(folder, { recursive: true });
  return [near, far];
}
