import type { AuditLog } from "../../audit/log.ts";
import type { HaltTarget } from "../ipc/halt-calls.ts";
import { type HaltId, mint } from "../ipc/ids.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import { type HaltRecord, ERASED, type State } from "./state.ts";

export interface HaltParts {
  readonly log: AuditLog;
  readonly state: State;
  /** Ends the turns that run there. @returns how many they were. */
  readonly stop: (target: HaltTarget, who: By) => Promise<number>;
  readonly knowsAgent: (agent: string) => boolean;
}

/** What the owner has halted: no turn begins there, and none goes on. It is a state on the log, so a restart changes nothing about it. */
export class Halts {
  readonly #parts: HaltParts;
  readonly #halts: Map<HaltId, HaltRecord>;

  constructor(parts: HaltParts) {
    this.#parts = parts;
    this.#halts = new Map(parts.state.halts().map((halt) => [halt.halt, halt]));
  }

  /** Does nothing run for this session? */
  over(agent: string, session: string): boolean {
    return [...this.#halts.values()].some(({ target }) => {
      switch (target.subject) {
        case "all":
          return true;
        case "agent":
          return target.agent === agent;
        case "session":
          return target.session === session;
      }
    });
  }

  /** Is everything halted? */
  get everything(): boolean {
    return this.#of({ subject: "all" }) !== null;
  }

  /** It takes authority away: done first, and recorded then. @throws {OperatorError} if the log does not take it: it is in force all the same, until the daemon ends. */
  async begin(target: HaltTarget, reason: string, who: By): Promise<AnswerTo<"halt.begin">> {
    this.#check(target);
    const known = this.#of(target);
    if (known !== null) return { ...viewOf(known), ended: 0 };
    const halt = mint("halt");
    const made: HaltRecord = { halt, target, seq: null, at: new Date().toISOString() };
    this.#halts.set(halt, made);
    const ended = await this.#parts.stop(target, who);
    try {
      const { seq, at } = await this.#parts.log.append(
        {
          kind: "halt.begun",
          halt,
          subject: target.subject,
          agent: target.subject === "agent" ? target.agent : null,
          session: target.subject === "session" ? target.session : null,
          ...who,
        },
        { cause: null, content: { reason } },
      );
      this.#halts.set(halt, { ...made, seq, at });
      return { ...viewOf({ ...made, at }), ended };
    } catch (cause) {
      throw new OperatorError(
        "stopped",
        `${sentenceOf(target)} is halted, but that could not be recorded: it holds until the daemon ends`,
        "see wirken status, and halt again when the log can be written",
        { cause },
      );
    }
  }

  /** @throws {OperatorError} if just that is not halted. */
  async end(target: HaltTarget, reason: string | null, who: By): Promise<AnswerTo<"halt.end">> {
    const known = this.#of(target);
    if (known === null) throw this.#notHalted(target);
    if (target.subject === "all" && this.#parts.state.incident() !== null)
      throw new OperatorError(
        "refused",
        "an incident is open: it ends the halt when it is closed",
        "wirken incident show",
      );
    if (known.seq !== null)
      await this.#parts.log.append(
        { kind: "halt.ended", halt: known.halt, ...who },
        { cause: known.seq, ...(reason === null ? {} : { content: { reason } }) },
      );
    this.#halts.delete(known.halt);
    return { ...viewOf(known), ended: 0 };
  }

  /** A sentence for each, with the command that ends it. */
  notes(): string[] {
    return [...this.#halts.values()].map(({ target, seq, at }) => {
      const reason = seq === null ? null : (this.#parts.log.row(seq)?.content("reason") ?? ERASED);
      return `${sentenceOf(target)} is halted since ${at}${reason === null ? "" : ` (${reason})`}: messages are recorded and not acted on; ${this.#goesOn(target)}`;
    });
  }

  #of(target: HaltTarget): HaltRecord | null {
    const wanted = JSON.stringify(target);
    return [...this.#halts.values()].find((halt) => JSON.stringify(halt.target) === wanted) ?? null;
  }

  #goesOn(target: HaltTarget): string {
    return target.subject === "all" && this.#parts.state.incident() !== null
      ? "it ends with the incident"
      : `go on with: ${resumeCommand(target)}`;
  }

  #check(target: HaltTarget): void {
    if (target.subject === "agent" && !this.#parts.knowsAgent(target.agent))
      throw new OperatorError("not-found", `there is no agent ${target.agent}`, "see: wirken agents list");
    if (target.subject === "session" && this.#parts.state.session(target.session) === null)
      throw new OperatorError("not-found", `there is no session ${target.session}`, "wirken audit log names them");
  }

  #notHalted(target: HaltTarget): OperatorError {
    const others = [...this.#halts.values()].map((halt) => resumeCommand(halt.target));
    return new OperatorError(
      "not-found",
      `${sentenceOf(target)} is not halted`,
      others.length === 0 ? "nothing is" : `what is: ${others.join(", ")}`,
    );
  }
}

function viewOf({ halt, target, at }: HaltRecord): Omit<AnswerTo<"halt.begin">, "ended"> {
  return { halt, sentence: sentenceOf(target), at };
}

/** What is halted, in words. */
function sentenceOf(target: HaltTarget): string {
  switch (target.subject) {
    case "all":
      return "every agent";
    case "agent":
      return `agent ${target.agent}`;
    case "session":
      return `session ${target.session}`;
  }
}

function resumeCommand(target: HaltTarget): string {
  switch (target.subject) {
    case "all":
      return "wirken resume";
    case "agent":
      return `wirken resume --agent ${target.agent}`;
    case "session":
      return `wirken resume --session ${target.session}`;
  }
}
