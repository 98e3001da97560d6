/** What stands in a transcript that nobody said: the same words where an agent writes it and where it is made again from rows. */

/** Of one answer: more calls than these are answered without being asked for. */
export const MAX_CALLS = 64;
export const NOT_RUN_MANY = `[not run: at most ${MAX_CALLS} calls are taken from one answer]`;
/** Behind what came of an answer that never came to its end. */
export const CUT_OFF = "\n\n[cut off here]";
/** A call that nothing was done about before its turn ended. */
export const NOT_RUN = "[not run: the turn ended before it]";
/** A call that was begun, and of which no result came. */
export const NO_RESULT = "[no result: it was interrupted, and its effect is unknown]";
