import { withFields } from "./hand.ts";
import { forge } from "./rows.ts";
import type { Known, Tampering } from "./tampering.ts";

/** Rows of a kind, in the order of their outcomes: everything is signed with the log's own keys, so that only what the rows say tells. */
const outcome = (log: Known): number => log.row("tool.finished", 8);
const earlier = (log: Known): number => log.row("tool.finished", 1);

export const PROCESS: readonly Tampering[] = [
  {
    name: "an outcome has no intent: its cause is another row",
    does: (copy, log) => {
      const body = withFields(log.bodies[outcome(log)] ?? "", { $cause: log.row("turn.started", 8) });
      forge(copy, log, log.bodies.with(outcome(log), body));
    },
    found: { code: "outcome", seq: outcome },
  },
  {
    name: "an outcome has no cause",
    does: (copy, log) =>
      forge(copy, log, log.bodies.with(outcome(log), withFields(log.bodies[outcome(log)] ?? "", { $cause: null }))),
    found: { code: "outcome", seq: outcome },
  },
  {
    name: "an intent has two outcomes",
    does: (copy, log) => forge(copy, log, log.bodies.toSpliced(outcome(log), 0, log.bodies[outcome(log)] ?? "")),
    found: { code: "outcome", seq: (log) => outcome(log) + 1 },
  },
  {
    name: "an intent ends in what one of another kind ends in",
    does: (copy, log) => {
      const body = (log.bodies[outcome(log)] ?? "").replace('"tool.finished"', '"secret.handed"');
      forge(copy, log, log.bodies.with(outcome(log), body));
    },
    found: { code: "outcome", seq: outcome },
  },
  {
    name: "an intent has no outcome, and the next start did not report it",
    does: (copy, log) => forge(copy, log, log.bodies.toSpliced(earlier(log), 1)),
    found: { code: "intent", seq: (log) => log.row("tool.called", 1) },
  },
  {
    name: "an intent is left out, and its outcome is there",
    does: (copy, log) => forge(copy, log, log.bodies.toSpliced(log.row("tool.called", 1), 1)),
    found: { code: "cause", seq: (log) => log.row("tool.called", 1) },
  },
  {
    name: "an intent of the last run has no outcome: it is said to be open",
    of: "killed",
    does: (copy, log) => forge(copy, log, [...log.bodies]),
    found: { warning: "open-intents", seq: (log) => log.row("message.sent", 3) },
  },
  {
    name: "a row's cause is itself",
    does: (copy, log) =>
      forge(copy, log, log.bodies.with(log.middle, withFields(log.bodies[log.middle] ?? "", { $cause: log.middle }))),
    found: { code: "cause", seq: (log) => log.middle },
  },
  {
    name: "a row is of a kind that this build does not know",
    does: (copy, log) => {
      const at = log.signedAfter(log.middle) - 1;
      const body = (log.bodies[at] ?? "").replace(/"\$kind":"[^"]+"/, '"$kind":"later.kind"');
      forge(copy, log, log.bodies.with(at, body));
    },
    found: { warning: "unknown-kind", seq: (log) => log.signedAfter(log.middle) - 1 },
  },
];
