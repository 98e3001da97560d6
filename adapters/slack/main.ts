import { confine } from "../../src/confine/confine.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { SlackConnection } from "./connection.ts";

confine("adapter");
runAdapter({ check, connect: (credentials, start, host) => new SlackConnection(credentials, start, host) });
