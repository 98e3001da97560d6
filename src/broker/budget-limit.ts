/** What somebody may spend in a time, and how that is said. */

export const PERIODS = ["hour", "day", "month"] as const;
export type Period = (typeof PERIODS)[number];
export type Unit = "usd" | "tokens";
export type Subject = "agent" | "person";

/** The most that is spent by an agent, or for a person, in each hour, day or month (UTC). */
export interface Limit {
  readonly subject: Subject;
  /** The agent's name, or the person's id. */
  readonly id: string;
  readonly per: Period;
  readonly unit: Unit;
  /** Millionths of a US dollar, or tokens. */
  readonly most: number;
  /** What money that is limited means for a model without a price: `refused` where somebody set it; else {@link TOKENS_A_DAY} stand in for it (`counted`), or
   *  tokens that somebody set (`passed`). */
  readonly unpriced: "refused" | "counted" | "passed";
}

/** Tokens a day, of models whose price is not known, where nobody set a budget. */
export const TOKENS_A_DAY = 2_000_000;
/** Somebody is told once that so much of a budget is used, in percent. */
export const WARN_PERCENT = 80;

/** What was spent, or is set aside. */
export interface Amount {
  microDollars: number;
  tokens: number;
  /** Those of models without a price; also among `tokens`. */
  unpriced: number;
}

/** The beginning of the hour, day or month of a time: `2026-11-29T13`, `2026-11-29` or `2026-11`. @param at milliseconds since 1970. */
export function windowOf(per: Period, at: number): string {
  const iso = new Date(at).toISOString();
  return iso.slice(0, { hour: 13, day: 10, month: 7 }[per]);
}

/** The same as the log writes a time. */
export function windowStart(window: string): string {
  return `${window}${"0000-01-01T00:00:00.000Z".slice(window.length)}`;
}

/** How much of a limit an amount is, in its unit. */
export function used(limit: Limit, { microDollars, tokens }: Amount): number {
  return limit.unit === "usd" ? microDollars : tokens;
}

/** Why a call is not made, in words; null where the limit holds it. @param most what the call may take: no money where the model has no price.
 *  @param taken spent and reserved. */
export function refusalOf(limit: Limit, taken: Amount, most: Ask, model: string): string | null {
  const whose = whoseBudget(limit);
  if (limit.unit === "tokens") {
    if (taken.tokens + most.tokens <= limit.most) return null;
    return `${whose} (${amountText("tokens", limit.most)}) does not hold another call to ${model}: ${amountText("tokens", taken.tokens)} are used or reserved, and this one may take ${amountText("tokens", most.tokens)}; ${anew(limit.per)}`;
  }
  if (most.microDollars === null) {
    if (limit.unpriced === "passed") return null;
    if (limit.unpriced === "refused")
      return `${model} has no known price, so ${whose} cannot hold it: give its price under prices in config.json, or take the money budget away and set one in tokens (wirken budget set)`;
    if (taken.unpriced + most.tokens <= TOKENS_A_DAY) return null;
    return `the ${TOKENS_A_DAY.toLocaleString("en-US")} tokens that ${subjectText(limit)} may use a day of models without a known price, such as ${model}, do not hold another call; ${anew(limit.per)}`;
  }
  if (taken.microDollars + most.microDollars <= limit.most) return null;
  return `${whose} (${amountText("usd", limit.most)}) does not hold another call to ${model}: ${amountText("usd", taken.microDollars)} are spent or reserved, and this one may cost ${amountText("usd", most.microDollars)}; ${anew(limit.per)}`;
}

/** The most that one call may take. */
export interface Ask {
  readonly microDollars: number | null;
  readonly tokens: number;
}

/** What is said when most of a budget is used. */
export function warningOf(limit: Omit<Limit, "unpriced">, spent: number): string {
  return `${Math.floor((100 * spent) / Math.max(1, limit.most))} % of ${whoseBudget(limit)} are used: ${amountText(limit.unit, spent)} of ${amountText(limit.unit, limit.most)}; ${anew(limit.per)}`;
}

export function amountText(unit: Unit, amount: number): string {
  return unit === "usd" ? `$${(amount / 1e6).toFixed(2)}` : `${amount.toLocaleString("en-US")} tokens`;
}

function whoseBudget(limit: Pick<Limit, "subject" | "id" | "per">): string {
  return `the ${limit.per}'s budget of ${subjectText(limit)}`;
}
function subjectText({ subject, id }: Pick<Limit, "subject" | "id">): string {
  return subject === "agent" ? `agent ${id}` : "the person who asks";
}
function anew(per: Period): string {
  const when = { hour: "with the next hour", day: "at midnight UTC", month: "with the next month (UTC)" }[per];
  return `it starts anew ${when}, or raise it: wirken budget set`;
}
