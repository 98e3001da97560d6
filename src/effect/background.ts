import { setTimeout as sleep } from "node:timers/promises";
import type { Recorded } from "../../audit/recorded.ts";
import { SandboxError } from "../sandbox/command.ts";
import { WorkspaceError } from "../sandbox/workspace-error.ts";
import { type ActionOfType, decodeAction } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import { type LiveOutput, runCommand, textOfOutput, wordsOf } from "./command.ts";
import { shownCommand } from "./running-commands.ts";
import type { ToolResult, World } from "./tool.ts";

/** Commands that go on behind the answer to their call: of one person, and of all. */
export const MAX_BACKGROUND = 4;
const MAX_BACKGROUND_IN_ALL = 16;
/** Of those that have ended, so many are remembered for each person. */
const MAX_ENDED = 8;
/** One that ends within this time has its end told at once. */
const BEGIN_MS = 300;
/** Whose commands are meant; what is not given is any. */
export interface Whose {
  readonly principal?: string;
  readonly agent?: string;
  readonly session?: string;
  readonly turn?: string;
}

/** The turn that a command comes from. */
export interface TurnOfCommand {
  /** Aborts when the turn is ended from outside; a sub-agent's, when that is over. */
  readonly signal: AbortSignal;
  /** Does the command go on when the turn is over? */
  readonly outlives: boolean;
}

interface Entry {
  readonly command: string;
  readonly whose: Required<Whose>;
  readonly action: ActionOfType<"exec">;
  readonly began: number;
  readonly stop: AbortController;
  /** What it wrote so far, while it runs. */
  live: LiveOutput | null;
  end: ToolResult | null;
  over: Promise<void>;
}

/** Commands in the background: started on the record, ended on the record, and by whatever ends the turn, the session or the daemon that they belong to. */
export class BackgroundCommands {
  /** Oldest first. */
  readonly #all = new Map<string, Entry>();

  /** Starts a recorded command. @returns what its call is answered: while it runs, under which name. */
  async start(
    recorded: Recorded<"command.started">,
    { signal, outlives }: TurnOfCommand,
    world: World,
  ): Promise<ToolResult> {
    recorded.redeem();
    const action = decodeAction(recorded.content("action"));
    if (action.type !== "exec") throw new TypeError(`${action.type} is no command`);
    const { command, principal, agent, session, turn } = recorded.action;
    const full = this.#full(principal);
    const entry: Entry = {
      command,
      whose: { principal, agent, session, turn },
      action,
      began: performance.now(),
      stop: new AbortController(),
      live: null,
      end: full === null ? null : { outcome: "failed", status: null, text: full },
      over: Promise.resolve(),
    };
    // Whoever ended the turn while this was recorded has not found it among those that run.
    if (signal.aborted) entry.end = { outcome: "stopped", status: null, text: "stopped before it ran" };
    if (entry.end === null) this.#all.set(command, entry);
    const stop = (): void => entry.stop.abort();
    if (!outlives) signal.addEventListener("abort", stop, { once: true });
    entry.over = this.#follow(entry, recorded, world).finally(() => signal.removeEventListener("abort", stop));
    await Promise.race([entry.over, sleep(BEGIN_MS)]);
    const { end } = entry;
    if (end === null)
      return {
        outcome: "done",
        status: null,
        text: `it runs in the background as ${command}${outlives ? "" : ", and ends with you"}: see what it does with the tool process`,
      };
    return full === null && !signal.aborted ? { ...end, text: `${command} has ended already: ${end.text}` } : end;
  }

  async #follow(entry: Entry, recorded: Recorded<"command.started">, world: World): Promise<void> {
    try {
      entry.end ??= await runCommand(
        entry.action,
        { call: entry.command, seq: recorded.seq, ...entry.whose },
        world,
        entry.stop.signal,
        {
          live: (now) => {
            entry.live = now;
          },
        },
      );
    } catch (cause) {
      if (!(cause instanceof WorkspaceError || cause instanceof SandboxError)) {
        entry.end = { outcome: "failed", status: null, text: "failed: something went wrong inside wirken" };
        await recorded.fail(cause).catch(() => undefined);
        return;
      }
      entry.end = { outcome: "failed", status: null, text: `failed: ${cause.message}` };
    } finally {
      entry.live = null;
      this.#forget(entry.whose.principal);
    }
    const { outcome, status, text, limits } = entry.end;
    // A log that takes nothing more says so itself; the next start finds this command open, and its effect unknown.
    await recorded
      .finish({ kind: "command.ended", outcome, status, ...(limits === undefined ? {} : { limits }) }, { result: text })
      .catch(() => undefined);
  }

  #full(principal: string): string | null {
    const running = [...this.#all.values()].filter(({ end }) => end === null);
    const own = running.filter(({ whose }) => whose.principal === principal);
    if (own.length >= MAX_BACKGROUND)
      return `refused: ${MAX_BACKGROUND} commands run in the background already: stop one of them first`;
    if (running.length >= MAX_BACKGROUND_IN_ALL) return "refused: too many commands run in the background already";
    return null;
  }

  #forget(principal: string): void {
    const ended = [...this.#all.values()].filter(({ end, whose }) => end !== null && whose.principal === principal);
    for (const { command } of ended.slice(0, -MAX_ENDED)) this.#all.delete(command);
  }

  /** Does one of these reach hosts? null: there is none of that name. */
  reaches(whose: Whose, command: string): boolean | null {
    const entry = this.#of(whose, command);
    return entry === null ? null : entry.action.hosts !== undefined;
  }

  /** What a recorded call of the tool `process` asks. */
  async answer(action: ActionOfType<"process">, whose: Whose): Promise<ToolResult> {
    if (action.do === "list") {
      const lines = [...this.#all.values()].filter((one) => isOf(one, whose)).map(lineOf);
      return done(lines.length === 0 ? "[nothing runs in the background, and nothing has]" : lines.join("\n"));
    }
    const entry = this.#of(whose, action.command ?? "");
    if (entry === null) return { outcome: "failed", status: null, text: "failed: there is no such command any more" };
    if (action.do === "stop") {
      entry.stop.abort();
      await entry.over;
    }
    return done(entry.end === null ? liveText(entry) : `${entry.command} has ended: ${entry.end.text}`);
  }

  #of(whose: Whose, command: string): Entry | null {
    const entry = this.#all.get(command);
    return entry !== undefined && isOf(entry, whose) ? entry : null;
  }

  /** Ends them, and waits until nothing of them is left. @returns how many they were. */
  async endWhere(whose: Whose): Promise<number> {
    const running = [...this.#all.values()].filter((one) => one.end === null && isOf(one, whose));
    for (const { stop } of running) stop.abort();
    await Promise.all(running.map(({ over }) => over));
    return running.length;
  }
}

function isOf({ whose: of }: Entry, whose: Whose): boolean {
  return (
    (whose.principal ?? of.principal) === of.principal &&
    (whose.agent ?? of.agent) === of.agent &&
    (whose.session ?? of.session) === of.session &&
    (whose.turn ?? of.turn) === of.turn
  );
}

function done(text: string): ToolResult {
  return { outcome: "done", status: null, text: boundText(text, MAX_RESULT) };
}

function lineOf(entry: Entry): string {
  const [first = ""] = entry.end?.text.split("\n", 1) ?? [];
  const how = entry.end === null ? `runs since ${secondsOf(entry)} s` : first;
  return `${entry.command}  ${how}  ${shownCommand(wordsOf(entry.action))}`;
}

function liveText(entry: Entry): string {
  const now = entry.live?.() ?? null;
  const said = now === null ? "" : textOfOutput(now);
  return `${entry.command} runs since ${secondsOf(entry)} s\n${said === "" ? "(no output so far)" : said}`;
}

function secondsOf({ began }: Entry): number {
  return Math.round((performance.now() - began) / 1000);
}
