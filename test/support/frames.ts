import { z } from "zod/mini";
import { encodeFrame } from "../../src/ipc/frame.ts";
import { Ready, Stop } from "../../src/ipc/frame-common.ts";

/** A small conversation to test pipes and processes with: both sides speak it. */
export const Talk = z.discriminatedUnion("type", [
  Ready,
  z.strictObject({ type: z.literal("say"), ref: z.int() }),
  z.strictObject({ type: z.literal("bye") }),
  Stop,
]);
export type Talk = z.infer<typeof Talk>;

/** A frame as a hostile peer writes it: any header at all. */
export function bytesOf(header: object, payload: Uint8Array = new Uint8Array(0)): Uint8Array {
  return encodeFrame(header, payload);
}
