import type { Recorded } from "../../audit/recorded.ts";
import type { ActionOfType } from "./action.ts";

/** Something that an agent kept for a person. */
export interface MemoryEntry {
  readonly memory: string;
  readonly text: string;
  readonly agent: string;
  readonly principal: string;
  /** Where it comes from: the channel, the session, the row that kept it. */
  readonly channel: string;
  readonly session: string;
  readonly row: number;
  readonly at: string;
  /** Of what the conversation held then: may somebody else's words be in it, and whose else is it? */
  readonly untrusted: boolean;
  readonly private: readonly string[];
}

export interface Found {
  readonly entries: readonly MemoryEntry[];
  /** That would fit besides. */
  readonly more: number;
}

/** What agents keep between conversations. */
export interface MemoryPort {
  /** The entries that fit best, of this agent and person, on this channel or on any. */
  find(action: ActionOfType<"memory.read">): Promise<Found>;
  /** @returns the entry's id. @throws {MemoryError} if there is no room for it, or what it would replace is not there. */
  keep(
    recorded: Pick<Recorded<"tool.called">, "seq" | "action">,
    action: ActionOfType<"memory.write">,
  ): Promise<string>;
}

/** What was not kept, and why. */
export class MemoryError extends Error {
  override readonly name = "MemoryError";
  readonly code = "MEMORY_REFUSED";
}
