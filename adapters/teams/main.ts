import { confine } from "../../src/confine/confine.ts";
import { checksOnly } from "../checks-only.ts";
import { runAdapter } from "../contract.ts";
import { check } from "./check.ts";

confine("adapter");
runAdapter(checksOnly("Microsoft Teams", check));
