import { type Copy, isSigned, withFields } from "./hand.ts";
import { forge } from "./rows.ts";
import type { Known, Tampering } from "./tampering.ts";

const HOUR = 3_600_000;

const atOf = (body: string): number => Date.parse(body.slice(8, 32));
const moved = (body: string, ms: number): string => withFields(body, { $at: new Date(atOf(body) + ms).toISOString() });

/** Sets the times of some rows by somebody who has the keys: then only time itself tells. */
function shift(copy: Copy, log: Known, ms: number, which: (seq: number, body: string) => boolean): void {
  forge(
    copy,
    log,
    log.bodies.map((body, seq) => (which(seq, body) ? moved(body, ms) : body)),
  );
}

/** Times that cannot be, in logs whose every hash and signature is good. */
export const TIME: readonly Tampering[] = [
  {
    name: "a row's time is moved back behind the row before it",
    does: (copy, log) => shift(copy, log, -HOUR, (seq) => seq === log.middle),
    found: { code: "time-backwards", seq: (log) => log.middle },
  },
  {
    name: "a row's time is moved forth past the row after it",
    does: (copy, log) => shift(copy, log, HOUR / 60 / 60, (seq) => seq === log.middle),
    found: { code: "time-backwards", seq: (log) => log.middle + 1 },
  },
  {
    name: "a checkpoint is older than its rows",
    does: (copy, log) => shift(copy, log, -HOUR, (seq, body) => seq === log.signedAfter(log.middle) && isSigned(body)),
    found: { code: "time-backwards", seq: (log) => log.signedAfter(log.middle) },
  },
  {
    name: "all times are moved back by an hour by somebody who has the keys",
    does: (copy, log) => shift(copy, log, -HOUR, () => true),
    found: { named: /^no outside anchor: malware/m, outside: "forked", seq: () => null },
  },
  {
    name: "all times are moved into the future by somebody who has the keys",
    does: (copy, log) => shift(copy, log, HOUR, () => true),
    found: { warning: "future", seq: () => 0 },
  },
  {
    name: "the newest rows' times are in the future",
    does: (copy, log) => shift(copy, log, HOUR, (seq) => seq >= log.size - 2),
    found: { warning: "future", seq: (log) => log.size - 2 },
  },
  {
    name: "a row's time is one that no calendar has",
    does: (copy, log) =>
      forge(copy, log, log.bodies.with(log.middle, (log.bodies[log.middle] ?? "").replace(/-\d\d-\d\dT/, "-13-01T"))),
    found: { code: "row-changed", seq: (log) => log.middle },
  },
];
