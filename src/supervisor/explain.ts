import type { CommittedRow } from "../../audit/log.ts";

type NameOf = (principal: string) => string | null;

/** The chain of causes in sentences: from the person's message to the action, the authority it rests on, and what it ended in.
 *  @param chain root first, the asked row last. */
export function explained(
  chain: readonly CommittedRow[],
  rests: CommittedRow | null,
  outcome: CommittedRow | null,
  nameOf: NameOf,
): string[] {
  return [
    ...chain.map((row) => sentenceOf(row, nameOf)),
    ...(rests === null ? [] : [`it was allowed by ${sentenceOf(rests, nameOf)}`]),
    ...(outcome === null ? [] : [`it ended: ${sentenceOf(outcome, nameOf)}`]),
  ];
}

/** One row in one sentence. Content that was erased, or is locked, is said to be. */
export function sentenceOf(row: CommittedRow, nameOf: NameOf): string {
  const { action } = row;
  const at = `row ${row.seq}, ${row.at}: `;
  const who = (principal: string): string => nameOf(principal) ?? principal;
  const by = (given: { by: string; via: string }): string => `${who(given.by)} by ${given.via}`;
  switch (action.kind) {
    case "message.received":
      return `${at}${who(action.principal)} wrote on ${action.channel}: ${quoted(row.content("text"))}`;
    case "turn.started":
      return `${at}agent ${action.agent} began a turn for ${who(action.principal)}`;
    case "turn.ended":
      return `${at}the turn ended (${action.reason}) after ${action.rounds} rounds`;
    case "turn.stopped":
      return `${at}${by(action)} stopped the turn`;
    case "model.called":
      return `${at}agent ${action.agent} asked ${action.provider}/${action.model}`;
    case "model.answered":
      return `${at}${action.model} answered with ${action.outputTokens} tokens (${action.stop})`;
    case "tool.called":
      return `${at}agent ${action.agent} ran ${action.tool} (${action.key}, tier ${action.tier}) on the authority of ${AUTHORITY[action.authority]}: ${quoted(row.content("action"))}`;
    case "tool.finished":
      return `${at}the tool ended (${action.outcome})${action.status === null ? "" : ` with status ${action.status}`}`;
    case "tool.refused":
      return `${at}${action.tool ?? "an unknown tool"} was refused (${action.reason}), and nothing ran`;
    case "approval.requested":
      return `${at}agent ${action.agent} asked for an approval of ${action.key} for ${who(action.principal)}`;
    case "approval.decided":
      return `${at}the approval was ${action.decision}${action.by === null ? "" : ` by ${who(action.by)}`}${action.via === null ? "" : ` on ${action.via}`} (${action.scope})`;
    case "grant.given":
      return `${at}${by(action)} granted ${action.key} to agent ${action.agent} until ${action.until}`;
    case "message.sent":
      return `${at}a message (${action.purpose}) left on ${action.channel}`;
    case "message.delivered":
      return `${at}it was delivered in ${action.parts} parts`;
    case "message.failed":
      return `${at}it was not delivered (${action.reason})`;
    case "process.started":
      return `${at}a process started: ${action.role}${action.subject === null ? "" : ` ${action.subject}`}`;
    case "secret.used":
      return `${at}a credential of ${action.scope} (version ${action.version}) was handed to a process`;
    case "action.interrupted":
      return `${at}it was interrupted: its effect is unknown, and it was not repeated`;
    case "action.failed":
      return `${at}it failed: ${quoted(row.content("error"))}`;
    default:
      return `${at}${action.kind}`;
  }
}

const AUTHORITY: Readonly<Record<"free" | "grant" | "approval", string>> = {
  free: "the policy alone",
  grant: "a standing grant",
  approval: "an approval",
};

function quoted(text: string | null): string {
  if (text === null) return "[erased or locked]";
  const line = text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ");
  return `“${line.length <= 200 ? line : `${line.slice(0, 200)}…`}”`;
}
