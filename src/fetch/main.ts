import { confine } from "../confine/confine.ts";
import { takeLane } from "../tunnel/own-tunnel.ts";
import { runFetch } from "./process.ts";

const { dialler } = takeLane("fetch");
confine("fetch");
runFetch(dialler);
