import { plain } from "./plain-name.ts";

/** Characters of a command in a list. */
const MAX_SHOWN = 120;

/** For whom, and under which row, something runs. */
export interface Under {
  readonly seq: number;
  /** The call or, in the background, the command. */
  readonly call: string;
  readonly agent: string;
  readonly session: string;
  readonly turn: string;
}

/** A command in the sandbox, from before it starts until nothing of it is left. */
export interface RunningCommand extends Under {
  /** In one line. */
  readonly words: string;
  readonly background: boolean;
  readonly write: boolean;
  /** Where it sees them: its folders, and whether it may change them. */
  readonly folders: readonly { readonly name: string; readonly write: boolean }[];
  /** What it may reach; none if empty. */
  readonly hosts: readonly string[];
  /** When it was asked for, as ISO 8601. */
  readonly since: string;
  /** A process of it; null before there is one. */
  readonly pid: () => number | null;
}

/** What runs in the sandbox now. */
export class RunningCommands {
  readonly #all = new Set<RunningCommand>();

  /** @param command what it is, but for when it began and its process. */
  begin(command: Omit<RunningCommand, "since" | "pid">): {
    readonly began: (pid: () => number | null) => void;
    readonly end: () => void;
  } {
    let pid: (() => number | null) | null = null;
    const entry: RunningCommand = { ...command, since: new Date().toISOString(), pid: () => pid?.() ?? null };
    this.#all.add(entry);
    return {
      began: (of) => {
        pid = of;
      },
      end: () => void this.#all.delete(entry),
    };
  }

  /** Oldest first. */
  list(): readonly RunningCommand[] {
    return [...this.#all];
  }
}

/** Nothing but what is shown of it. */
export function underOf({ seq, call, agent, session, turn }: Under): Under {
  return { seq, call, agent, session, turn };
}

/** A command in one line, as lists show it. */
export function shownCommand(words: string): string {
  const shown = plain(words.replaceAll("\n", " "));
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN).toWellFormed()}…` : shown;
}
