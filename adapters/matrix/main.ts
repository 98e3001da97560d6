import { confine } from "../../src/confine/confine.ts";
import { takeLane } from "../../src/tunnel/own-tunnel.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { MatrixConnection } from "./connection.ts";
import { renewable } from "./renewal.ts";

takeLane("adapter:matrix");
confine("adapter");
runAdapter({
  check,
  renewable,
  connect: (credentials, start, host, kept) => new MatrixConnection(credentials, start, host, kept),
});
