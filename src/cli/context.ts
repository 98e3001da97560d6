import type { Home } from "../config/home.ts";
import type { ExitStatus } from "./exit-status.ts";
import type { Terminal } from "./terminal.ts";

/** What a command works with. */
export interface Context {
  readonly home: Home;
  readonly environment: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  /** Does what a command was asked for; whatever is thrown becomes a sentence, a hint and a status. Neither it nor what it starts can
   *  open any socket but a local one: at once, or, for a command that says that it needs a `network` (its own, as a witness, or its
   *  children's), once it speaks to a daemon. */
  run(work: () => Promise<ExitStatus>, options?: { readonly network: boolean }): Promise<void>;
}
