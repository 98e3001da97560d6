import type { ApprovalScope } from "../ipc/operator.ts";

/** An answer to a card, typed where there are no buttons. */
export interface TypedAnswer {
  readonly decision: "approve" | "deny";
  readonly code: string;
  readonly scope: ApprovalScope;
  readonly reason: string | null;
}

/** Reads `approve K7Q2MX`, `approve K7Q2MX session`, `approve K7Q2MX always`, `deny K7Q2MX because …`. @returns null for anything else. */
export function readAnswer(text: string): TypedAnswer | null {
  const match = /^\s*(approve|deny)\s+([0-9A-HJKMNP-TV-Z]{6})(?:\s+(\S[^]{0,499}))?\s*$/i.exec(text);
  const [, word, code, rest] = match ?? [];
  if (word === undefined || code === undefined) return null;
  const decision = word.toLowerCase() === "approve" ? "approve" : "deny";
  if (decision === "deny") return { decision, code: code.toUpperCase(), scope: "once", reason: rest?.trim() ?? null };
  const scope = rest === undefined ? "once" : rest.trim().toLowerCase();
  if (scope !== "once" && scope !== "session" && scope !== "always") return null;
  return { decision, code: code.toUpperCase(), scope, reason: null };
}

/** Reads `again K7Q2MX`. @returns the code; null for anything else. */
export function readAgain(text: string): string | null {
  const [, code] = /^\s*\/?again\s+([0-9A-HJKMNP-TV-Z]{6})\s*$/i.exec(text) ?? [];
  return code?.toUpperCase() ?? null;
}
