import * as z from "zod/mini";
import { Ready } from "./frame-common.ts";

const Account = z.string().check(z.regex(/^(vault|pin|probe)\/[0-9a-z/]{1,128}$/));

/** One question per helper process; the service is always "wirken". */
export const ToKeychain = z.discriminatedUnion("type", [
  /** Writes, reads back and deletes a probe: only that tells a locked keychain from an empty one. */
  z.strictObject({ type: z.literal("probe") }),
  z.strictObject({ type: z.literal("read"), account: Account }),
  /** The payload is the bytes to keep; they are read back before the answer. */
  z.strictObject({ type: z.literal("write"), account: Account }),
  z.strictObject({ type: z.literal("delete"), account: Account }),
]);
export type ToKeychain = z.infer<typeof ToKeychain>;

export const FromKeychain = z.discriminatedUnion("type", [
  Ready,
  z.strictObject({ type: z.literal("works") }),
  /** The payload is what was kept. */
  z.strictObject({ type: z.literal("found") }),
  /** Not there, and the keychain is known to be open (it was probed). */
  z.strictObject({ type: z.literal("missing") }),
  z.strictObject({ type: z.literal("done") }),
  /** The payload is the keychain's own words. */
  z.strictObject({ type: z.literal("failed"), state: z.enum(["locked", "absent", "unreachable"]) }),
]);
export type FromKeychain = z.infer<typeof FromKeychain>;
