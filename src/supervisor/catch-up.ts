import type { AuditLog } from "../../audit/log.ts";
import type { State } from "./state.ts";

/** So many rows are taken in within a second: nobody has to be told. */
const MANY = 50_000;
/** Between two words about how far it is, in milliseconds. */
const EVERY_MS = 2_000;

/** Brings the projection up to the log, and keeps it there. After an update that gave it another form, all rows are read: a start that takes seconds says why.
 *  @param say an operational line. @param many missing rows that are worth one. @param clock in milliseconds, from any beginning. */
export function catchUp(
  state: Pick<State, "follow" | "applied">,
  log: Pick<AuditLog, "follow" | "size">,
  say: (line: string) => void,
  many = MANY,
  clock: () => number = () => performance.now(),
): void {
  const missing = log.size - 1 - state.applied;
  if (missing < many) {
    state.follow(log);
    return;
  }
  const begun = clock();
  let told = begun;
  say(
    `${missing} rows of the log are read, to find again what follows from them: once after an update, or where state.db was removed`,
  );
  state.follow(log, (seq) => {
    if (clock() - told < EVERY_MS) return;
    told = clock();
    say(`read up to row ${seq} of ${log.size - 1}`);
  });
  say(`they were read in ${((clock() - begun) / 1_000).toFixed(1)} s`);
}
