import { confine } from "../confine/confine.ts";
import { runEgress } from "./process.ts";

confine("egress");
runEgress();
