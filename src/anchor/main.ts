import { confine } from "../confine/confine.ts";
import { runAnchor } from "./process.ts";

confine("anchor");
runAnchor();
