import { z } from "zod";
import { encodeFrame } from "../../src/ipc/frame.ts";

/** A small conversation to test pipes with: both sides speak it. */
export const Talk = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("say"), ref: z.int() }),
  z.strictObject({ type: z.literal("bye") }),
]);
export type Talk = z.infer<typeof Talk>;

/** A frame as a hostile peer writes it: any header at all. */
export function bytesOf(header: object, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame(header, payload);
}
