import { confine } from "../confine/confine.ts";
import { runUnpack } from "./process.ts";

confine("unpack");
runUnpack();
