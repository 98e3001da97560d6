import { BUILD } from "../ipc/build.ts";
import type { CallName } from "../ipc/operator.ts";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-status.ts";

/** What a daemon of another build still takes from this command: the question how it is, and the word that it shall end. */
const ACROSS_BUILDS: ReadonlySet<CallName> = new Set<CallName>(["status", "daemon.stop"]);

export const OTHER_BUILD = "the daemon is of another build than this command";
export const FINISH_UPGRADE = "restart to finish the upgrade: wirken stop, then wirken start";

/** Another build was installed while the daemon ran on: what a call means to one of them, it may not mean to the other.
 *  @throws {CommandError} for a call that is not to be sent. */
export function refuseOtherBuild(call: CallName, build: string): void {
  if (build !== BUILD && !ACROSS_BUILDS.has(call)) throw new CommandError(EXIT.notReady, OTHER_BUILD, FINISH_UPGRADE);
}
