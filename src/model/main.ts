import { confine } from "../confine/confine.ts";
import { ModelProcess } from "./process.ts";

confine("model");
new ModelProcess().run();
