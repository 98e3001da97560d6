import { confine } from "../../src/confine/confine.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { TelegramConnection } from "./connection.ts";

confine("adapter");
runAdapter({ check, connect: (credentials, start, host) => new TelegramConnection(credentials, start, host) });
