import { join } from "node:path";
import { NODE_FLAGS } from "../../src/confine/flags.ts";

/** The role `launch` from its sources. */
export const LAUNCHER = [
  process.execPath,
  ...NODE_FLAGS,
  join(import.meta.dirname, "../../src/launch/main.ts"),
] as const;
