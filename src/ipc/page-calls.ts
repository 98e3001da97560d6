import type { CallName } from "./operator.ts";

/** What the page's own script may ask for. Secrets are not typed into it, and the daemon is not stopped from it: those calls are the terminal's. */
export const PAGE_CALLS: ReadonlySet<CallName> = new Set([
  "status",
  "say",
  "transcript",
  "session.stop",
  "approvals.list",
  "approvals.show",
  "approvals.decide",
  "approvals.again",
  "vault.list",
  "vault.status",
  "channel.list",
  "channel.enable",
  "channel.disable",
  "mcp.list",
  "schedule.list",
  "schedule.pause",
  "pair.list",
  "pair.approve",
  "pair.revoke",
  "web.sessions",
  "web.sessions.end",
  "undo",
  "undo.list",
  "folder.add",
  "folder.list",
  "folder.remove",
  "instructions.show",
  "instructions.accept",
  "budget.show",
  "usage.show",
  "audit.rows",
  "audit.explain",
  "audit.verify",
  "audit.checkpoint",
]);

/** What its process may ask for: it also follows what happens. */
const WEB_CALLS: ReadonlySet<CallName> = new Set([...PAGE_CALLS, "watch"]);

/** May a process that serves the page ask for this? The supervisor decides it too: that process parses what strangers send. */
export function isOfThePage(call: CallName): boolean {
  return WEB_CALLS.has(call);
}
