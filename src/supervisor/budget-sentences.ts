import type { Action, ActionOf, Kind } from "../../audit/action.ts";
import { amountText } from "../broker/budget-limit.ts";
import { where } from "./row-words.ts";

/** Kinds that are about what models may use. */
export type BudgetKind = Extract<Kind, `budget.${string}`>;
type BudgetAction = { [K in BudgetKind]: ActionOf<K> }[BudgetKind];

export function isAboutBudgets(action: Action): action is BudgetAction {
  return action.kind.startsWith("budget.");
}

/** One sentence about a row, without its number. @param at `on 2026-11-23 at 22:31`. */
export function budgetSentence(action: BudgetAction, at: string, told: { who(principal: string): string }): string {
  switch (action.kind) {
    case "budget.set":
      return `${told.who(action.by)} set ${whose(action, told)} ${where(action.via)} ${at}: ${most(action)}`;
    case "budget.warned":
      return `${amount(action, action.used)} of ${amount(action, action.most)} of ${whose(action, told)} were used ${at}, and its people were told`;
    case "budget.exhausted":
      return `${whose(action, told)} (${amount(action, action.most)}) did not hold another call to a model ${at}`;
    case "budget.estimated":
      return `a call to ${action.provider}/${action.model} broke off in its answer ${at}: ${amountText("tokens", action.inputTokens + action.outputTokens)} are counted for it`;
  }
}

type Of = Pick<ActionOf<"budget.set">, "agent" | "principal" | "per" | "unit">;

function amount({ unit }: Of, value: number): string {
  return amountText(unit, value);
}
function whose({ agent, principal, per, unit }: Of, told: { who(principal: string): string }): string {
  const of = agent === null ? told.who(principal ?? "") : `agent ${agent}`;
  return `the ${per}'s budget of ${of} in ${unit === "usd" ? "money" : "tokens"}`;
}
function most(action: ActionOf<"budget.set">): string {
  if (action.state === "limited" && action.most !== null) return amount(action, action.most);
  return action.state === "unlimited" ? "none" : "as by default";
}
