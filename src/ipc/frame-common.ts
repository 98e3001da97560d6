import * as z from "zod/mini";

/** Spoken by both ends; a child of another protocol is refused. */
export const PROTOCOL = 1;

/** A number that pairs a question with its answer on one pipe. */
export const Ref = z.int().check(z.gte(1), z.lte(Number.MAX_SAFE_INTEGER));
export type Ref = z.infer<typeof Ref>;

/** The first frame of every child. `build` is the digest its executable was built with: a child of another build is refused. */
export const Ready = z.strictObject({
  type: z.literal("ready"),
  protocol: z.literal(PROTOCOL),
  build: z.string().check(z.maxLength(128)),
});

/** One credential for the child; its bytes are the payload. Before `start` it is what the child begins with; later it takes the place of the
 *  one of that name: at an adapter from the next `reconnect` on, at a model process from the next request on. */
export const SecretFrame = z.strictObject({
  type: z.literal("secret"),
  name: z.string().check(z.regex(/^[a-z0-9-]{1,64}$/)),
});

/** The child finishes what it does and exits with status 0 within 5 s, else it is killed. */
export const Stop = z.strictObject({ type: z.literal("stop") });

/** Why a check of candidate credentials failed; the sentence is the frame's payload. */
export const CheckFailure = z.enum(["refused", "mixed-up", "unreachable", "scope-missing", "other"]);

/** An identifier of somebody else's making: printable or not, it is data and never a name to decide by. */
export const Foreign = z.string().check(z.minLength(1), z.maxLength(512));
