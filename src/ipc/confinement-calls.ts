import * as z from "zod/mini";
import { Tried } from "./probe-frames.ts";

/** What the owner may ask about the walls. */
export const CONFINEMENT_CALLS = [
  /** Starts a short-lived process of each role and a command, which try their walls, and looks at each process and each command that runs. */
  z.strictObject({ call: z.literal("confinement") }),
] as const;

const Words = z.string().check(z.maxLength(400));

export const CONFINEMENT_ANSWERS = {
  confinement: z.strictObject({
    /** Nothing is missing. */
    full: z.boolean(),
    /** What is not there, and what that costs. */
    missing: z.array(z.strictObject({ layer: Words, costs: Words })),
    landlockAbi: z.int(),
    /** What holds all that a command starts to its memory and processes; for a watch, why it is no cgroup. */
    limits: z.strictObject({ by: z.enum(["cgroup", "watch"]), why: z.nullable(Words) }),
    roles: z.array(
      z.strictObject({
        /** Also `command`, and `command by launcher` for one where bubblewrap cannot run. */
        role: z.string(),
        layers: z.array(z.string()),
        tried: z.array(Tried),
        /** The hosts that it reaches, and whose secrets it holds, in words. */
        hosts: Words,
        files: Words,
        secrets: Words,
      }),
    ),
    /** As the kernel says it of each process that runs; null where it says nothing. */
    processes: z.array(
      z.strictObject({
        role: z.string(),
        subject: z.nullable(z.string()),
        pid: z.int(),
        seccomp: z.nullable(z.boolean()),
        noNewPrivileges: z.nullable(z.boolean()),
        capabilities: z.nullable(z.string()),
        /** What its descriptors are, by kind and number; null where it may not be looked at. */
        descriptors: z.nullable(z.array(z.string())),
      }),
    ),
    /** What runs in the sandbox, or is about to. */
    commands: z.array(
      z.strictObject({
        /** Its call, or its name in the background. */
        command: z.string(),
        /** The row that it runs under. */
        seq: z.int(),
        agent: z.string(),
        session: z.string(),
        turn: z.string(),
        since: z.string(),
        background: z.boolean(),
        /** What was asked for, shortened. */
        words: Words,
        files: Words,
        hosts: z.array(z.string()),
        /** What holds it, as it is started now. */
        layers: z.array(z.string()),
        /** Null before it has a process. */
        pid: z.nullable(z.int()),
        seccomp: z.nullable(z.boolean()),
        noNewPrivileges: z.nullable(z.boolean()),
        capabilities: z.nullable(z.string()),
        descriptors: z.nullable(z.array(z.string())),
      }),
    ),
  }),
} as const;
