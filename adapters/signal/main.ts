import { confine } from "../../src/confine/confine.ts";
import { takeLane } from "../../src/tunnel/own-tunnel.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { SignalConnection } from "./connection.ts";

takeLane("adapter:signal");
confine("adapter");
runAdapter({
  check,
  connect: (credentials, start, host) => new SignalConnection(credentials, start, host),
});
