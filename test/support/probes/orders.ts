import * as z from "zod/mini";
import { Targets } from "./attempts.ts";

/** What hostile code in an adapter is told to do. */
export const Order = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("nothing") }),
  /** Tries everything in attempts.ts. */
  z.strictObject({ do: z.literal("reach"), targets: Targets }),
  /** Says it is connected, and gives messages in as the product's own code would. */
  z.strictObject({ do: z.literal("connect") }),
  z.strictObject({ do: z.literal("inbound"), sender: z.string(), text: z.string(), dedupe: z.string() }),
  /** Writes these bytes (base64) on the pipe. With `spins` it never comes back to its event loop. */
  z.strictObject({ do: z.literal("write"), bytes: z.string(), spins: z.boolean() }),
  /** Gives so many messages of so many bytes in, as fast as they are taken. */
  z.strictObject({ do: z.literal("burst"), sender: z.string(), bytes: z.int(), times: z.int() }),
  /** The same, in one burst that goes on until the pipe is gone. */
  z.strictObject({ do: z.literal("pour"), bytes: z.string() }),
  z.strictObject({ do: z.literal("exit"), status: z.int() }),
  z.strictObject({ do: z.literal("print"), lines: z.array(z.string()), times: z.int() }),
]);
export type Order = z.infer<typeof Order>;
