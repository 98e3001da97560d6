import * as z from "zod/mini";
import { Ready, Stop } from "./frame-common.ts";

/** What a process could reach, and be asked whether it does. `outward`: TCP and UDP to elsewhere. `kinds`: sockets of other families. */
export const Reach = z.enum([
  "read a file",
  "write a file",
  "start a program",
  "load native code",
  "connect outward",
  "listen",
  "open a local socket",
  "open other kinds of socket",
  "make a ring",
  "signal another process",
  "read another's memory",
  "trace another process",
  "become another user",
  "exhaust memory",
]);
export type Reach = z.infer<typeof Reach>;

/** Which wall refused it first, in the order in which they are built; null: it was let through. `system`: it is refused before any of ours stands.
 *  `namespaces`: a command does not see it. `account`: a command runs as a user who may not. */
const By = z.nullable(
  z.enum([
    "system",
    "not-dumpable",
    "limits",
    "landlock",
    "seccomp",
    "no-ring",
    "permissions",
    "namespaces",
    "account",
  ]),
);

export const Tried = z.strictObject({ reach: Reach, native: By, script: By });
export type Tried = z.infer<typeof Tried>;

/** A process that tries its own walls and ends. */
export const FromProbe = z.discriminatedUnion("type", [
  Ready,
  z.strictObject({
    type: z.literal("probed"),
    layers: z.array(z.string().check(z.maxLength(40))).check(z.maxLength(16)),
    landlockAbi: z.int().check(z.gte(0), z.lte(1000)),
    tried: z.array(Tried).check(z.maxLength(32)),
  }),
]);
export type FromProbe = z.infer<typeof FromProbe>;

export const ToProbe = z.discriminatedUnion("type", [Stop]);
export type ToProbe = z.infer<typeof ToProbe>;
