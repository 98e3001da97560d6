import * as z from "zod/mini";
import { insideText } from "../executable/inside.ts";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-status.ts";

const Inside = z.object({
  packages: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      licence: z.string(),
      integrity: z.nullable(z.string()),
      text: z.string(),
    }),
  ),
  runtime: z.string(),
});

/** What other people's work is in this executable. @throws {CommandError} where this is none. */
export async function inside(): Promise<z.infer<typeof Inside>> {
  const text = await insideText();
  if (text === null)
    throw new CommandError(
      EXIT.notReady,
      "only the built executable knows what it is made of",
      "build it: npm run build",
    );
  return Inside.parse(JSON.parse(text));
}
