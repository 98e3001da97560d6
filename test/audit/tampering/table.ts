import { CHECKPOINTS } from "./checkpoints.ts";
import { CONTENT } from "./content.ts";
import { FILE_TAMPERINGS } from "./files.ts";
import { PROCESS } from "./process.ts";
import { ROWS } from "./rows.ts";
import type { Tampering } from "./tampering.ts";
import { TIME } from "./time.ts";
import { TYPES } from "./types.ts";

/** Every way to tamper with a log that a single act makes. What needs a process is in the claims: `kill -9` between intent, effect and outcome, a full
 *  disk, a log that cannot be written, a trigger in the way of the writer. */
export const TABLE: Readonly<Record<string, readonly Tampering[]>> = {
  rows: ROWS,
  types: TYPES,
  time: TIME,
  files: FILE_TAMPERINGS,
  "checkpoints and keys": CHECKPOINTS,
  process: PROCESS,
  content: CONTENT,
};
