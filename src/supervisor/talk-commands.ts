import type { ScheduleView } from "../ipc/schedule-calls.ts";
import type { RunParts } from "./run-parts.ts";
import type { SessionRun } from "./session-run.ts";
import type { SessionRuns } from "./session-runs.ts";
import { bytesOf } from "./compactor.ts";
import { costOf } from "./session-turns.ts";
import { HELP, modelText, schedulesText, type SlashCommand, statusText, type TalkStatus } from "./slash-commands.ts";
import type { Person, State } from "./state.ts";

export interface CommandParts {
  readonly state: State;
  /** Requests that wait for an approval, of one person. */
  readonly waitingFor: (principal: string) => number;
  /** What is planned for one person. */
  readonly schedules: (principal: string) => ScheduleView[];
  readonly run: (agent: string, place: string) => RunParts;
}

/** What is done at once where somebody writes a command, and answered without an agent. */
export class TalkCommands<L extends symbol> {
  readonly #runs: SessionRuns<L>;
  readonly #parts: CommandParts;

  constructor(runs: SessionRuns<L>, parts: CommandParts) {
    this.#runs = runs;
    this.#parts = parts;
  }

  /** Does what a command asks for. @param stopped whether a turn was ended by it. @returns what is answered; empty: that is said already. */
  async obey(
    command: Exclude<SlashCommand, "compact">,
    run: SessionRun<L>,
    agent: string,
    person: Person,
    stopped: boolean,
  ): Promise<string> {
    switch (command) {
      case "stop":
        return stopped ? "" : "Nothing is running here.";
      case "new":
        await this.#runs.over(run, "new");
        return "A new conversation begins.";
      case "help":
        return HELP;
      case "status":
        return statusText(await this.#status(run, agent, person));
      case "model": {
        const { inForce, windows } = this.#parts.run(agent, run.session.address.at.place);
        const force = inForce();
        return modelText(force, windows.windowOf(force), windows.outputOf(force));
      }
      case "schedules":
        return schedulesText(this.#schedulesFor(run, person));
    }
  }

  async #status(run: SessionRun<L>, agent: string, person: Person): Promise<TalkStatus> {
    const { inForce, halted, windows, compactor, labels, log } = this.#parts.run(agent, run.session.address.at.place);
    const force = inForce();
    const session = run.session.id;
    const used = windows.tokensOf(force, force.setupBytes + bytesOf(compactor.told(session)));
    return {
      force,
      halted: halted(session),
      running: run.running !== null,
      waiting: run.waiting,
      approvals: this.#parts.waitingFor(person.principal),
      schedules: this.#schedulesFor(run, person).length,
      context: { used, window: windows.windowOf(force) },
      cost: await costOf(log, session),
      labels: { untrusted: labels(session).now.untrusted, private: labels(session).now.private.length > 0 },
    };
  }

  /** Somebody's own; where others read too, those that are answered there. */
  #schedulesFor(run: SessionRun<L>, { principal }: Person): ScheduleView[] {
    const { conversation } = run.session.address;
    const group = this.#parts.state.conversation(conversation)?.talk === "group";
    const here = new Set(
      this.#parts.state
        .schedules()
        .filter((record) => record.conversation === conversation)
        .map(({ schedule }) => schedule),
    );
    return this.#parts.schedules(principal).filter(({ schedule }) => !group || here.has(schedule));
  }
}
