import * as z from "zod/mini";
import { Ready, Ref, Stop } from "./frame-common.ts";

/** The one way in: ingress listens, drops the network scope, and pumps bytes. It parses none of them. */
export const FromIngress = z.discriminatedUnion("type", [
  Ready,
  z.strictObject({ type: z.literal("listening"), port: z.int().check(z.gte(1), z.lte(65_535)) }),
  /** The port is taken; the payload says what is known about who holds it. */
  z.strictObject({ type: z.literal("taken"), port: z.int().check(z.gte(1), z.lte(65_535)) }),
]);
export type FromIngress = z.infer<typeof FromIngress>;

export const ToIngress = z.discriminatedUnion("type", [
  /** Listen on 127.0.0.1; 0 lets the system choose. */
  z.strictObject({ type: z.literal("start"), port: z.int().check(z.gte(0), z.lte(65_535)) }),
  Stop,
]);
export type ToIngress = z.infer<typeof ToIngress>;

/** The lane between ingress and web (descriptor 4 of both, a socketpair the supervisor has let go of): connections, multiplexed.
 *  Both ends speak the same frames; a `data` payload is at most 64 KiB, and `credit` says how many more bytes may follow
 *  (256 KiB at the start of each connection). */
export const LaneFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("open"), connection: Ref }),
  z.strictObject({ type: z.literal("data"), connection: Ref }),
  z.strictObject({ type: z.literal("credit"), connection: Ref, bytes: z.int().check(z.gte(1), z.lte(1_048_576)) }),
  z.strictObject({ type: z.literal("end"), connection: Ref }),
  z.strictObject({ type: z.literal("reset"), connection: Ref }),
]);
export type LaneFrame = z.infer<typeof LaneFrame>;
