import { confine } from "../../src/confine/confine.ts";
import { takeLane } from "../../src/tunnel/own-tunnel.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { TelegramConnection } from "./connection.ts";

takeLane("adapter:telegram");
confine("adapter");
runAdapter({ check, connect: (credentials, start, host) => new TelegramConnection(credentials, start, host) });
