import { CommandError, usage } from "./command-error.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-status.ts";
import { reachDaemon } from "./reach.ts";

/** What cannot be taken back is done after its word was typed. @param given by an option, where there is no terminal. @throws {CommandError} if it was not. */
export async function typedWord(
  { terminal }: Context,
  word: string,
  what: string,
  given: string | undefined,
): Promise<void> {
  if (given === undefined && !terminal.interactive)
    throw usage("there is no terminal to ask on", `say that you mean it with --confirm ${word}`);
  if (given === undefined) terminal.say(what);
  const typed = given ?? (await terminal.ask(`type ${word} to go on: `));
  if (typed.trim() !== word) throw new CommandError(EXIT.bad, "nothing was changed");
}

/** @throws {CommandError} while a daemon runs. */
export async function refuseWhileRunning(context: Context, holds: string): Promise<void> {
  await using daemon = await reachDaemon(context);
  if (daemon !== null)
    throw new CommandError(EXIT.notReady, `the daemon runs, and holds its ${holds}`, "end it with: wirken stop");
}
