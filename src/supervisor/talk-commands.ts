import type { ScheduleView } from "../ipc/schedule-calls.ts";
import type { RunParts } from "./run-parts.ts";
import type { SessionRun } from "./session-run.ts";
import type { SessionRuns } from "./session-runs.ts";
import { HELP, schedulesText, type SlashCommand, statusText } from "./slash-commands.ts";
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
    command: SlashCommand,
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
      case "status": {
        const parts = this.#parts.run(agent, run.session.address.at.place);
        const [force, halted] = [parts.inForce(), parts.halted(run.session.id)];
        const schedules = this.#schedulesFor(run, person).length;
        const approvals = this.#parts.waitingFor(person.principal);
        return statusText({ force, halted, running: run.running !== null, waiting: run.waiting, approvals, schedules });
      }
      case "schedules":
        return schedulesText(this.#schedulesFor(run, person));
    }
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
