import type { Role } from "../ipc/operator.ts";
import type { ActionKey } from "./keys.ts";

/** What the operator wrote about a class of action. It goes before every grant. */
export interface Rule {
  /** `deny` is refused, whoever approves it; `ask` is asked for every time; `allow` needs no approval where one would have been remembered. */
  readonly effect: "deny" | "ask" | "allow";
  /** An action's key; `*` stands for any characters of it. */
  readonly key: string;
  /** For whom it holds. What is left out holds for all. */
  readonly agent?: string | undefined;
  readonly person?: string | undefined;
  readonly role?: Role | undefined;
  readonly channel?: string | undefined;
}

interface Place {
  readonly agent: string;
  readonly principal: string;
  readonly role: Role;
  readonly channel: string;
  readonly rules: readonly Rule[];
}

/** Which rule says this? A denial or a question about one key is about all of the action; an allowance has to cover every key.
 *  @param where `named`: the rule must name where to, not only what.
 *  @returns the rule's key as it was written; null: none says it. */
export function ruleOn(
  effect: Rule["effect"],
  keys: readonly ActionKey[],
  place: Place,
  where: "any" | "named" = "any",
): string | null {
  if (place.rules.length === 0 || keys.length === 0) return null;
  const rules = place.rules.filter(
    (rule) => rule.effect === effect && holdsFor(rule, place) && (where === "any" || namesDestination(rule.key)),
  );
  const on = (key: ActionKey): Rule | undefined => rules.find((rule) => matches(rule.key, key));
  if (effect !== "allow") return keys.map(on).find((rule) => rule !== undefined)?.key ?? null;
  const found = keys.map(on);
  return found.every((rule) => rule !== undefined) ? (found[0]?.key ?? null) : null;
}

function holdsFor(rule: Rule, place: Place): boolean {
  return (
    (rule.agent === undefined || rule.agent === place.agent) &&
    (rule.person === undefined || rule.person === place.principal) &&
    (rule.role === undefined || rule.role === place.role) &&
    (rule.channel === undefined || rule.channel === place.channel)
  );
}

/** Whoever allows `http.get:*` says what may be done, and nothing of where to: it opens no way out that labels shut. */
function namesDestination(pattern: string): boolean {
  const last = pattern.slice(pattern.lastIndexOf(":") + 1);
  return pattern.includes(":") && /[a-z0-9]/.test(last.replaceAll("*", ""));
}

/** Linear in both: each star takes as little as it can, and what comes after is looked for from there on. */
export function matches(pattern: string, key: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === key;
  if (!key.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const piece of rest) {
    const found = key.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return key.length - last.length >= at && key.endsWith(last);
}
