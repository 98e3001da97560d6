import { randomInt } from "node:crypto";
import type { Channel } from "../ipc/channel.ts";
import type { ApprovalId } from "../ipc/ids.ts";
import type { ApprovalScope, ApprovalView, Role } from "../ipc/operator.ts";
import type { Card } from "./card.ts";
import type { Several } from "./cards/subject.ts";
import { ALWAYS_MS, SESSION_MS } from "./grants.ts";
import { type ActionKey, meaningOf } from "./keys.ts";
import { visibleLine } from "./visible.ts";
import type { TurnContext } from "./turn.ts";

/** A card that waits for an answer. */
export interface PendingApproval {
  readonly approval: ApprovalId;
  /** Typed where there are no buttons. */
  readonly code: string;
  /** The `approval.requested` row. */
  readonly row: number;
  readonly at: string;
  readonly expires: string;
  readonly turn: TurnContext;
  /** What the row names it by. */
  readonly key: ActionKey;
  /** What an approval for longer than once covers. */
  readonly remembers: readonly ActionKey[];
  readonly tier: number;
  readonly scopes: readonly ApprovalScope[];
  /** Until when it is remembered, by scope, in milliseconds since 1970: what is shown is what is given. */
  readonly ends: Readonly<Record<"session" | "always", number>>;
  readonly card: Card;
  /** More than one person has to approve it; null: one is enough. */
  readonly several: Several | null;
  /** The row that lets whoever asked decide tier 3 where they asked, for they are known nowhere else; null: none does. */
  readonly sameChannel: number | null;
}

/** @param now when it is asked, in milliseconds since 1970. */
export function endsOf(now: number): PendingApproval["ends"] {
  return { session: now + SESSION_MS, always: now + ALWAYS_MS };
}

const CODE_LENGTH = 6;
/** Crockford's base 32: what is read aloud is not misheard. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

export function newCode(): string {
  return Array.from({ length: CODE_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join("");
}

/** The owner of the operating-system account speaks there, and is shown every card there. */
export function isLocal(channel: Channel): boolean {
  return channel === "terminal" || channel === "web";
}

/** Where else it is decided, if not on `via`. Tier 3 is never decided on the channel that asked, for that may be all that an attacker holds; the
 *  terminal is the account itself, and what the page asked in tier 3 only the terminal decides.
 *  @param by who decides, where that is known. @returns null: it may be decided there. */
export function decidedElsewhere(
  pending: Pick<PendingApproval, "tier" | "turn" | "sameChannel">,
  via: Channel,
  by: string | null = null,
): string | null {
  const asked = pending.turn.channel;
  if (pending.tier < 3 || via === "terminal") return null;
  if (asked === "web") return "this is decided on the terminal: wirken approvals list";
  if (asked === via) {
    if (pending.sameChannel !== null && by === pending.turn.principal) return null;
    return "this is not decided on the channel that asked: use the web page, another of your channels, or the terminal (wirken approvals list)";
  }
  return null;
}

/** Roles that decide. */
export function mayDecide(role: Role): boolean {
  return role !== "user";
}

/** A pending approval as it is shown to somebody, somewhere. */
export function viewOf(pending: PendingApproval, via: Channel, role: Role): ApprovalView {
  const elsewhere = mayDecide(role) ? decidedElsewhere(pending, via) : "an approver decides this";
  return {
    approval: pending.approval,
    code: pending.code,
    at: pending.at,
    expires: pending.expires,
    session: pending.turn.session,
    agent: pending.turn.agent,
    requester: pending.turn.requester,
    channel: pending.turn.channel,
    key: pending.key,
    tier: pending.tier,
    card: pending.card.text,
    digest: pending.card.digest,
    scopes: pending.scopes.map((scope) => ({ scope, means: meansOf(pending, scope) })),
    decidable: elsewhere === null,
    elsewhere,
  };
}

/** What may be answered to a card where answers are typed, and what each covers. */
export function answersTo(pending: PendingApproval): string {
  const words = { once: "", session: " session", always: " always" } as const;
  return [
    "you may answer:",
    ...pending.scopes.map(
      (scope) => `  approve ${pending.code}${words[scope]}: ${visibleLine(meansOf(pending, scope))}`,
    ),
    `  deny ${pending.code} and why, if you like: the agent is told`,
    "",
  ].join("\n");
}

function meansOf({ remembers, turn, ends }: PendingApproval, scope: ApprovalScope): string {
  const what = `${remembers.map((key) => meaningOf(key)).join(" and ")}, by agent ${turn.agent}, for ${turn.requester}, on ${turn.channel}`;
  switch (scope) {
    case "once":
      return "exactly what the card shows, once";
    case "session":
      return `${what}, until this conversation ends (/new, or eight hours of silence), ${minute(ends.session)} at the latest`;
    case "always":
      return `${what}, until ${minute(ends.always)}, in every conversation there`;
  }
}

/** In a time that is the same everywhere. */
function minute(at: number): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
