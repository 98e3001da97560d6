/** A confined child that waits to be looked at. argv: its role. */
import { writeSync } from "node:fs";
import { z } from "zod/mini";
import { confine } from "../../../src/confine/confine.ts";

confine(
  z
    .enum([
      "adapter",
      "model",
      "agent",
      "ingress",
      "web",
      "keychain",
      "anchor",
      "egress",
      "relay",
      "fetch",
      "unpack",
      "mcp",
    ])
    .parse(process.argv[2]),
);
writeSync(1, "idle\n");
setInterval(() => undefined, 60_000);
