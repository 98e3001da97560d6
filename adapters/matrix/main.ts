import { confine } from "../../src/confine/confine.ts";
import { takeLane } from "../../src/tunnel/own-tunnel.ts";
import { checksOnly } from "../checks-only.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";
import { renewable } from "./renewal.ts";

takeLane("adapter:matrix");
confine("adapter");
runAdapter(checksOnly("Matrix", check, renewable));
