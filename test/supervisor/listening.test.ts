import { once } from "node:events";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { isListening } from "../../src/supervisor/listening.ts";

test.for(["127.0.0.1", "0.0.0.0", "::"])(
  "it is seen without a connection that somebody listens on %s",
  async (host) => {
    let connections = 0;
    const server = createServer(() => (connections += 1)).listen(0, host);
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("there is no port");
    expect(isListening(address.port)).toBe(true);
    expect(connections).toBe(0);
    server.close();
    await once(server, "close");
    expect(isListening(address.port)).toBe(false);
  },
);
