import { confine } from "../confine/confine.ts";
import { runAgent } from "./process.ts";

confine("agent");
runAgent();
