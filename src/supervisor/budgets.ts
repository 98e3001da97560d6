import type { AuditLog } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import { Budget, type Told } from "../broker/budget.ts";
import { type Limit, type Subject, used, WARN_PERCENT, warningOf, windowStart } from "../broker/budget-limit.ts";
import { type Config, DEFAULT_USD_A_DAY } from "../config/schema.ts";
import type { BudgetOf, BudgetView } from "../ipc/budget-calls.ts";
import { PrincipalId } from "../ipc/ids.ts";
import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import { configOf, knowsAgent } from "./in-force.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";
import type { SetBudget } from "./spending.ts";
import { priceOf } from "./price-view.ts";
import type { State } from "./state.ts";
import { usageOf } from "./usage.ts";

type Call<N extends OperatorCall["call"]> = Extract<OperatorCall, { call: N }>;
type Origin = BudgetView["from"];

export interface BudgetsParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly clock: Clock;
  readonly config: () => Config;
}

/** What agents may spend, and what may be spent for people: the limits that are in force, from the log's rows and the configuration. */
export class Budgets {
  /** What calls are reserved from and settled with. */
  readonly budget: Budget;
  readonly #parts: BudgetsParts;
  #set: readonly SetBudget[];

  constructor(parts: BudgetsParts) {
    this.#parts = parts;
    const { state, clock, config } = parts;
    this.#set = state.budgetsSet();
    this.budget = new Budget(clock, {
      limits: (agent, principal) =>
        [...this.#limits("agent", agent), ...this.#limits("person", principal)].map(({ limit }) => limit),
      price: (provider, model) => priceOf(config(), provider, model),
      // "~" stands behind every digit.
      used: (since) => state.spent(since, "~").map((row) => ({ ...row, tokens: row.inputTokens + row.outputTokens })),
      told: (limit, window, what) => state.budgetTold(kindOf(what), { ...placeOf(limit), since: windowStart(window) }),
    });
  }

  show(): AnswerTo<"budget.show"> {
    const { state, config } = this.#parts;
    const agents = ["default", ...Object.keys(config().agents)];
    const people = state.people().map(({ principal }) => principal);
    const budgets = [
      ...[...new Set(agents)].flatMap((agent) => this.#limits("agent", agent)),
      ...people.flatMap((principal) => this.#limits("person", principal)),
    ];
    return { budgets: budgets.map(({ limit, from }) => this.#view(limit, from)) };
  }

  /** In force at once, and on the log. @returns what holds for that agent or person now.
   *  @throws {OperatorError} for an agent or a person that is not there. */
  async set({ of, per, unit, state, most }: Call<"budget.set">, who: By): Promise<AnswerTo<"budget.set">> {
    this.#check(of);
    if ((state === "limited") !== (most !== null))
      throw new OperatorError("usage", "a limit says how much it is", "such as --usd 5, or --usd none");
    const agent = of.subject === "agent" ? of.agent : null;
    const principal = of.subject === "person" ? of.principal : null;
    await this.#parts.log.append(
      { kind: "budget.set", agent, principal, per, unit, state, most, ...who },
      { cause: null },
    );
    this.#set = this.#parts.state.budgetsSet();
    const id = of.subject === "agent" ? of.agent : of.principal;
    return { budgets: this.#limits(of.subject, id).map(({ limit, from }) => this.#view(limit, from)) };
  }

  usage({ by, from, to }: Call<"usage.show">): AnswerTo<"usage.show"> {
    if (from > to) throw new OperatorError("usage", `${from} is after ${to}`, "--from the first day --to the last one");
    const { state } = this.#parts;
    return usageOf(state.spent(from, `${to}~`), { by, from, to }, (principal) => state.person(principal)?.name ?? null);
  }

  /** A sentence for each budget that most of is used. */
  notes(): string[] {
    return this.show().budgets.flatMap((view) => {
      if (view.most === 0 || view.used * 100 < view.most * WARN_PERCENT) return [];
      const said = warningOf(view, view.used);
      return view.subject === "agent" ? [said] : [said.replace("the person who asks", view.name ?? view.id)];
    });
  }

  #view(limit: Limit, from: Origin): BudgetView {
    const { subject, id, per, unit, most } = limit;
    const { spent, reserved } = this.budget.account(subject, id, per);
    const name = subject === "person" ? (this.#parts.state.person(id)?.name ?? null) : null;
    return { subject, id, name, per, unit, most, used: used(limit, spent), reserved: used(limit, reserved), from };
  }

  /** What was set goes before the configuration, and that before what nobody set. */
  #limits(subject: Subject, id: string): { limit: Limit; from: Origin }[] {
    const own = this.#set.filter((one) => (subject === "agent" ? one.agent : one.principal) === id);
    const found = own.flatMap(({ per, unit, state, most }) =>
      state !== "limited" || most === null
        ? []
        : [{ limit: { subject, id, per, unit, most, unpriced: "refused" as const }, from: "set" as const }],
    );
    if (own.some(({ per, unit, state }) => per === "day" && unit === "usd" && state !== "default")) return found;
    const { dollars, from } = this.#dollarsADay(subject, id);
    // Tokens that somebody set stand in for the default, where that could only be counted in tokens.
    const tokens = found.some(({ limit }) => limit.unit === "tokens");
    const unpriced = from === "config" ? "refused" : tokens ? "passed" : "counted";
    const limit: Limit = { subject, id, per: "day", unit: "usd", most: Math.round(dollars * 1e6), unpriced };
    return [...found, { limit, from }];
  }

  #dollarsADay(subject: Subject, id: string): { dollars: number; from: Origin } {
    const config = this.#parts.config();
    if (subject === "agent") {
      const dollars = configOf(config, id).budgetUsdPerDay;
      return dollars === undefined ? { dollars: DEFAULT_USD_A_DAY, from: "default" } : { dollars, from: "config" };
    }
    // One person's share is at most what the most generous agent may spend.
    const all = ["default", ...Object.keys(config.agents)].map((agent) => this.#dollarsADay("agent", agent).dollars);
    return { dollars: Math.max(...all), from: "default" };
  }

  #check(of: BudgetOf): void {
    if (of.subject === "agent" && !knowsAgent(this.#parts.config(), of.agent))
      throw new OperatorError("not-found", `there is no agent ${of.agent}`, "see: wirken agents list");
    if (of.subject === "person" && this.#parts.state.person(of.principal) === null)
      throw new OperatorError("not-found", `nobody has the id ${of.principal}`, "wirken pair list shows the people");
  }
}

function kindOf(what: Told): "budget.warned" | "budget.exhausted" {
  return what === "warned" ? "budget.warned" : "budget.exhausted";
}

function placeOf({ subject, id, per, unit, most }: Limit) {
  const agent = subject === "agent" ? id : null;
  return { agent, principal: subject === "person" ? PrincipalId.parse(id) : null, per, unit, most };
}
