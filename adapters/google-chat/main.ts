import { confine } from "../../src/confine/confine.ts";
import { takeLane } from "../../src/tunnel/own-tunnel.ts";
import { checksOnly } from "../checks-only.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";

takeLane("adapter:google-chat");
confine("adapter");
runAdapter(checksOnly("Google Chat", check));
