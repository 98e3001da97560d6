import { usage } from "./command-error.ts";
import type { Context } from "./context.ts";

/** Why somebody does what the log will ask them for later. @param question asked on a terminal when it was not given.
 *  @throws {CommandError} when there is none, and nobody to ask. */
export async function reasonOf({ terminal }: Context, given: string | undefined, question: string): Promise<string> {
  const needed = usage("a reason is needed: it stands in the log", 'say it with: --reason "…"');
  if (given === undefined && !terminal.interactive) throw needed;
  const reason = (given ?? (await terminal.ask(question))).trim();
  if (reason === "") throw needed;
  if (reason.length > 500) throw usage("a reason has at most 500 characters");
  return reason;
}
