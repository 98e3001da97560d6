import * as z from "zod/mini";
import { Name, PrincipalId } from "./ids.ts";

/** What the owner may ask about what models use, and how much of it may be used. */

export const Period = z.enum(["hour", "day", "month"]);
export const Unit = z.enum(["usd", "tokens"]);
/** The most in US dollars is a million; in tokens, more than anybody uses. */
const MOST = 1_000_000_000_000;

/** An agent's budget, or that of a person whom agents work for. */
export const BudgetOf = z.discriminatedUnion("subject", [
  z.strictObject({ subject: z.literal("agent"), agent: Name }),
  z.strictObject({ subject: z.literal("person"), principal: PrincipalId }),
]);
export type BudgetOf = z.infer<typeof BudgetOf>;

/** What usage is added up by. */
export const UsageBy = z.enum(["agent", "person", "model", "day"]);
export type UsageBy = z.infer<typeof UsageBy>;
/** A day, UTC: `2026-11-29`. */
const Day = z.string().check(z.regex(/^\d{4}-\d\d-\d\d$/));

export const BUDGET_CALLS = [
  z.strictObject({ call: z.literal("budget.show") }),
  z.strictObject({
    call: z.literal("budget.set"),
    of: BudgetOf,
    per: Period,
    unit: Unit,
    state: z.enum(["limited", "unlimited", "default"]),
    /** Millionths of a US dollar, or tokens; null unless `limited`. */
    most: z.nullable(z.int().check(z.gte(0), z.lte(MOST))),
  }),
  /** @param to the last day, itself included. */
  z.strictObject({ call: z.literal("usage.show"), by: UsageBy, from: Day, to: Day }),
] as const;

const BudgetView = z.strictObject({
  subject: z.enum(["agent", "person"]),
  id: z.string(),
  /** Of a person; null for an agent, or for somebody who was erased. */
  name: z.nullable(z.string()),
  per: Period,
  unit: Unit,
  most: z.int(),
  /** In the running hour, day or month. */
  used: z.int(),
  reserved: z.int(),
  /** `set`: with `wirken budget set`. `config`: `budgetUsdPerDay`. `default`: by nobody. */
  from: z.enum(["set", "config", "default"]),
});
export type BudgetView = z.infer<typeof BudgetView>;

const Budgets = z.strictObject({ budgets: z.array(BudgetView) });

const Counted = {
  calls: z.int(),
  inputTokens: z.int(),
  outputTokens: z.int(),
  microDollars: z.int(),
  /** Tokens of models without a price: no money is counted for them. */
  unpriced: z.int(),
};

export const BUDGET_ANSWERS = {
  "budget.show": Budgets,
  "budget.set": Budgets,
  "usage.show": z.strictObject({
    by: UsageBy,
    from: Day,
    to: Day,
    /** The most money first; by day, the oldest first and every day there is. `key`: an agent's name, a person's id, `provider/model` or a day. */
    rows: z.array(z.strictObject({ key: z.string(), name: z.nullable(z.string()), ...Counted })),
    total: z.strictObject(Counted),
  }),
} as const;
