import * as z from "zod/mini";

/** What the owner may ask of the way out. */

/** A process as a person names it: its role and which of its kind, such as `adapter:slack:acme` or `model:openai`; a command by its call. */
export const ReachingProcess = z
  .string()
  .check(
    z.regex(
      /^(?:(adapter|model|anchor|mcp):[a-z0-9][a-z0-9:-]{0,63}|command:(?:k|cm)_[0-9a-z]{26}|fetch)$/,
      "a process is adapter:CHANNEL, model:PROVIDER, anchor:NAME, mcp:NAME, command:CALL or fetch",
    ),
  );

export const EGRESS_CALLS = [
  /** What one process may reach, or each that may reach something. */
  z.strictObject({ call: z.literal("egress.show"), process: z.nullable(ReachingProcess) }),
] as const;

export const EGRESS_ANSWERS = {
  "egress.show": z.strictObject({
    /** The proxy that everything but this machine's own is reached through, where that was said, and how it is. */
    proxy: z.nullable(z.strictObject({ place: z.string(), from: z.string(), credential: z.boolean() })),
    processes: z.array(
      z.strictObject({
        process: z.string(),
        /** Whether it runs and has its lane. */
        running: z.boolean(),
        entries: z.array(
          z.strictObject({
            /** `host:port`, where `*.` before a host is every name below it. */
            to: z.string(),
            /** The connection must be TLS to this very host. */
            tls: z.boolean(),
            /** An address of this machine or of a private network may be reached by it. */
            private: z.boolean(),
            from: z.string(),
          }),
        ),
      }),
    ),
  }),
} as const;
