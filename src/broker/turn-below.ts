import type { SpawnedAs, Spawn } from "../effect/spawn.ts";
import { newCounters, type TurnContext, type TurnCounters } from "./turn.ts";

/** The turn of an agent that another one started, within the turn of that one: the same person, labels and authority, fewer tools. */
export function turnBelow(
  above: TurnContext,
  as: Pick<SpawnedAs, "call" | "row">,
  given: { readonly tools: readonly string[]; readonly signal: AbortSignal; readonly spawn: Spawn },
): TurnContext {
  return {
    ...above,
    chain: [...above.chain, as.call],
    tools: new Set(given.tools),
    cause: as.row,
    signal: given.signal,
    counters: countersBelow(above.counters),
    spawn: given.spawn,
  };
}

/** What people denied, what nobody is sure of and what was fetched count for the turn as a whole: nobody gets more of it by starting others. */
function countersBelow(above: TurnCounters): TurnCounters {
  return {
    ...newCounters(),
    denied: above.denied,
    unsure: above.unsure,
    get denials() {
      return above.denials;
    },
    set denials(times) {
      above.denials = times;
    },
    get fetched() {
      return above.fetched;
    },
    set fetched(times) {
      above.fetched = times;
    },
  };
}
