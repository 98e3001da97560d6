import * as z from "zod/mini";
import { Ready, Ref, Stop } from "./frame-common.ts";

/** Where an anchor is asked: a witness's submission prefix, or an authority's address. */
export const AnchorUrl = z
  .url({ protocol: /^https?$/, error: "use an address that begins with https:// or http://" })
  .check(z.maxLength(512));

/** Who answers over the network. */
export const RemoteAnchor = z.enum(["witness", "timestamp"]);
export type RemoteAnchor = z.infer<typeof RemoteAnchor>;

/** Why there is no answer. `conflict`: the anchor holds another history. `unknown-key`: it knows the log and not the key of the checkpoint.
 *  `refused`: it does not serve this log. The payload of the frame is one sentence. */
export const AnchorFailure = z.enum(["unreachable", "refused", "unknown-key", "conflict", "bad-answer"]);
export type AnchorFailure = z.infer<typeof AnchorFailure>;

const Size = z.int().check(z.gte(0), z.lte(Number.MAX_SAFE_INTEGER));
/** RFC 6962 proofs have at most 63 hashes. */
const Proof = z.array(z.string().check(z.regex(/^[0-9a-f]{64}$/))).check(z.maxLength(63));

export const FromAnchor = z.discriminatedUnion("type", [
  Ready,
  /** The payload is what the witness answered: signature lines, at most 8 KiB. */
  z.strictObject({ type: z.literal("cosigned"), ref: Ref }),
  /** The witness's newest checkpoint is of this size, not of the one that was said. */
  z.strictObject({ type: z.literal("holds"), ref: Ref, size: Size }),
  /** The payload is the authority's answer, at most 64 KiB; `time` is the time in it, as it stands there. */
  z.strictObject({ type: z.literal("stamped"), ref: Ref, time: z.string().check(z.maxLength(32)) }),
  z.strictObject({ type: z.literal("failed"), ref: Ref, reason: AnchorFailure }),
]);
export type FromAnchor = z.infer<typeof FromAnchor>;

export const ToAnchor = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("start"), anchor: RemoteAnchor, url: AnchorUrl }),
  /** For a witness. The payload is a checkpoint; `proof` is that its tree grew from one of `old` rows. */
  z.strictObject({ type: z.literal("submit"), ref: Ref, old: Size, proof: Proof }),
  /** For an authority. The payload is a checkpoint. */
  z.strictObject({ type: z.literal("stamp"), ref: Ref }),
  Stop,
]);
export type ToAnchor = z.infer<typeof ToAnchor>;
