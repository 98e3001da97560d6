import * as z from "zod/mini";
import { SessionId } from "./ids.ts";

/** What the owner may ask about labels: what is in a conversation or a file that nobody typed whom we know, or that is somebody's. */

export const LABEL_CALLS = [
  z.strictObject({ call: z.literal("label.show") }),
  z.strictObject({
    call: z.literal("label.clear"),
    /** Of one session; of files, where a path is given; of all files and of what is not known any more, where neither is. */
    session: z.nullable(SessionId),
    path: z.nullable(z.string().check(z.minLength(1), z.maxLength(4096))),
  }),
] as const;

export const LABEL_ANSWERS = {
  "label.show": z.strictObject({
    sessions: z.array(
      z.strictObject({
        session: z.string(),
        channel: z.nullable(z.string()),
        untrusted: z.boolean(),
        /** Whose bytes are there: names; `everybody` for what all share. */
        private: z.array(z.string()),
      }),
    ),
    /** Files that count as untrusted, and directories in which whatever changed since a time does. */
    files: z.array(z.strictObject({ path: z.string(), since: z.nullable(z.string()) })),
    /** Rows were erased that said which files are untrusted: until that is cleared, all count so. */
    lost: z.boolean(),
  }),
  "label.clear": z.strictObject({ cleared: z.int() }),
} as const;
