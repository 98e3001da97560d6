import { confine } from "../../src/confine/confine.ts";
import { takeLane } from "../../src/tunnel/own-tunnel.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { DiscordConnection } from "./connection.ts";

takeLane("adapter:discord");
confine("adapter");
runAdapter({ check, connect: (credentials, start, host) => new DiscordConnection(credentials, start, host) });
