import { once } from "node:events";
import { createServer } from "node:net";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { portHolder } from "../../src/supervisor/port-holder.ts";

test("whoever holds a port is named by the file that runs, and nobody is where nobody listens", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("there is no port");
  expect(portHolder(address.port)).toBe(`${basename(process.execPath)} (process ${process.pid})`);
  server.close();
  await once(server, "close");
  expect(portHolder(address.port)).toBeNull();
});
