import type { Home } from "../config/home.ts";
import type { ExitStatus } from "./exit-status.ts";
import type { Terminal } from "./terminal.ts";

/** What a command works with. */
export interface Context {
  readonly home: Home;
  readonly environment: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  /** Does what a command was asked for; whatever is thrown becomes a sentence, a hint and a status. */
  run(work: () => Promise<ExitStatus>): Promise<void>;
}
