import type { ApprovalScope, ApprovalView } from "../ipc/operator.ts";
import { moment, span } from "./moment.ts";
import { printable, printableLines } from "./printable.ts";

/** An approval as it is shown before it is decided: the whole card, never a part of it.
 *  @param now milliseconds since 1970. */
export function approvalText(view: ApprovalView, now: number): string {
  const left = Date.parse(view.expires) - now;
  const head = [
    `approval ${view.approval}`,
    `asked by ${printable(view.requester)} on ${printable(view.channel)}, for agent ${printable(view.agent)}`,
    `${printable(view.key)}, tier ${view.tier}; ${left > 0 ? `expires in ${span(left)}` : "expired"} (${moment(view.expires)})`,
  ];
  const scopes = view.scopes.map(({ scope, means }) => `  ${scope.padEnd(7)}  ${printable(means)}`);
  const foot = view.decidable
    ? ["it can be approved:", ...scopes]
    : [`it cannot be decided here${view.elsewhere === null ? "" : `: ${printable(view.elsewhere)}`}`];
  return [...head, "", printableLines(view.card.replace(/\n$/, "")), "", ...foot, `card ${view.digest}`].join("\n");
}

/** What a typed answer to a card means, or null if it means nothing here.
 *  @param scopes those that may be chosen. */
export function decisionOf(
  typed: string,
  scopes: readonly ApprovalScope[],
):
  | { readonly decision: "deny"; readonly reason: string | null }
  | { readonly decision: "approve"; readonly scope: ApprovalScope }
  | null {
  const word = typed.trim().toLowerCase();
  if (word === "") return null;
  // A reason may stand behind it: the agent is told.
  const [, no, reason] = /^(d|de|den|deny|n|no)(?:[\s:,]+(\S[^]*))?$/i.exec(typed.trim()) ?? [];
  if (no !== undefined) return { decision: "deny", reason: reason?.slice(0, 500) ?? null };
  const scope = scopes.find((one) => one.startsWith(word));
  return scope === undefined ? null : { decision: "approve", scope };
}

/** The question under a card: `[o]nce, [s]ession, [d]eny (and why)? `. */
export function decisionQuestion(scopes: readonly ApprovalScope[]): string {
  return `${[...scopes, "deny"].map((word) => `[${word.charAt(0)}]${word.slice(1)}`).join(", ")} (and why)? `;
}
