import * as z from "zod/mini";
import { Ready, Stop } from "./frame-common.ts";

/** What the supervisor and an unpack process say to each other. One process does one thing and ends with its answer. */

export const ArchiveKind = z.enum(["zip", "tar.gz"]);
export type ArchiveKind = z.infer<typeof ArchiveKind>;

export const FromUnpack = z.discriminatedUnion("type", [
  Ready,
  /** The payload is the files, packed (skills/packed.ts). */
  z.strictObject({ type: z.literal("unpacked") }),
  /** The payload is what was read, as JSON. */
  z.strictObject({ type: z.literal("read") }),
  /** The payload is JSON: a sentence and a hint. */
  z.strictObject({ type: z.literal("failed"), problem: z.string().check(z.maxLength(32)) }),
]);
export type FromUnpack = z.infer<typeof FromUnpack>;

export const ToUnpack = z.discriminatedUnion("type", [
  /** The payload is the archive. */
  z.strictObject({ type: z.literal("unpack"), archive: ArchiveKind }),
  /** The payload is the YAML of a skill's front matter, as UTF-8. */
  z.strictObject({ type: z.literal("front-matter") }),
  /** The payload is a PEM file with one certificate, which is to be a root. */
  z.strictObject({ type: z.literal("root") }),
  /** The payload is packed files: `signature`, and each root by its number. */
  z.strictObject({ type: z.literal("model-signature") }),
  Stop,
]);
export type ToUnpack = z.infer<typeof ToUnpack>;
