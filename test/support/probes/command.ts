import { writeFileSync } from "node:fs";
import type { processTerminal } from "../../../src/cli/terminal.ts";
import { attackNetwork } from "./attempts.ts";

/** Where a command is to say how its attempts went, and the port of a server on 127.0.0.1 that answers HTTP. */
export const REPORT = "WIRKEN_CLAIM_REPORT";
export const PORT = "WIRKEN_CLAIM_PORT";

/** A command whose terminal has been taken over: told to by its environment, it tries every way to a network as it gives its answer. */
export function takenOver(honest: typeof processTerminal): typeof processTerminal {
  return (environment) => {
    const terminal = honest(environment);
    const { [REPORT]: report, [PORT]: port } = environment;
    if (report === undefined) return terminal;
    let tried = false;
    const attempt = (): void => {
      if (tried) return;
      tried = true;
      void attackNetwork(Number(port)).then((answers) => writeFileSync(report, JSON.stringify(answers)));
    };
    return {
      ...terminal,
      print: (text) => {
        terminal.print(text);
        attempt();
      },
      write: (text) => {
        terminal.write(text);
        attempt();
      },
      say: (text) => {
        terminal.say(text);
        attempt();
      },
    };
  };
}
