import { confine } from "../confine/confine.ts";
import { takeLane } from "../tunnel/own-tunnel.ts";
import { runAnchor } from "./process.ts";

takeLane("anchor");
confine("anchor");
runAnchor();
