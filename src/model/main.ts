import { confine } from "../confine/confine.ts";
import { takeLane } from "../tunnel/own-tunnel.ts";
import { ModelProcess } from "./process.ts";

takeLane("model");
confine("model");
new ModelProcess().run();
