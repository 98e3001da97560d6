/** How turns end, and what is said of it. */

export type TurnEnding = "done" | "stopped" | "rounds" | "time" | "budget" | "failed" | "died" | "denied" | "halted";

/** Endings that the agent may not have heard of. */
export const STOPPED_BY_US: ReadonlySet<TurnEnding> = new Set(["stopped", "time", "budget", "denied", "halted"]);

/** What the person is told, where the agent itself says nothing. */
export const ENDINGS: Readonly<Record<TurnEnding, string | null>> = {
  done: null,
  rounds: null,
  failed: null,
  stopped: "Stopped.",
  time: "I stopped: this turn took longer than it may.",
  budget: null,
  died: null,
  denied: null,
  halted: null,
};

export const DIED = "I was interrupted: my process ended unexpectedly.";

export const HALTED = "I am halted by the owner: your message is recorded, and nothing is done about it.";

export const ERASED =
  "What you wrote while I was busy was erased before I came to it: say it again if you still need it.";

/** Why a turn could not go on, for the person whose it was. */
export function sentenceOf(thrown: unknown): string {
  // Where nothing can be recorded, neither can it be that something failed: what went wrong first counts.
  const error: unknown = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  if (code.startsWith("AUDIT_"))
    return "I stopped: this action cannot be recorded, and nothing runs that cannot be. The daemon's status says what to do.";
  return "I stopped: something went wrong inside wirken. The daemon's own lines say what.";
}
