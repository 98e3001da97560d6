import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { hasSessionBus } from "./session-bus.ts";
import { startProcess } from "./start-process.ts";

/** Starts the keychain's helpers that a start of the daemon is about to ask, while the daemon's own code is still loaded: each takes as long to start.
 *  None where no keychain can be. They know nothing and wait for a question; whoever does not ask them ends them. None is started if that is impossible now: it is tried again then.
 *  @param vault where the vault lies. The first start asks whether there is a keychain; a later one for the master key and the pin. */
export function earlyHelpers(vault: string): ChildProcess[] {
  if (!hasSessionBus(process.env)) return [];
  const questions = existsSync(vault) ? 2 : 1;
  return Array.from({ length: questions }, () => startProcess({ role: "keychain" })).filter(
    (started): started is ChildProcess => !(started instanceof Error) && started.pid !== undefined,
  );
}
