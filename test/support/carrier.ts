import type { Carrier } from "../../src/session/link.ts";

/** What a channel of a test does beside carrying messages: nothing. */
export const NOTHING_MORE: Pick<Carrier, "typing" | "react" | "file" | "openDirect" | "lookUp"> = {
  typing: () => undefined,
  react: () => undefined,
  file: () => Promise.resolve({ state: "failed", reason: "gone", error: "there are no files here" }),
  openDirect: () => Promise.resolve(null),
  lookUp: () => Promise.resolve({ outcome: "unknown", ids: [] }),
};
