import type { UsageBy } from "../ipc/budget-calls.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import type { Spent } from "./spending.ts";

type Usage = AnswerTo<"usage.show">;
type Counted = Usage["total"];

/** Days that are told one by one, also those on which nothing was used. */
const MAX_DAYS = 400;
const DAY_MS = 24 * 3_600_000;

/** Adds up what was used. @param nameOf what a person is called, or null. */
export function usageOf(
  spent: readonly Spent[],
  { by, from, to }: { readonly by: UsageBy; readonly from: string; readonly to: string },
  nameOf: (principal: string) => string | null,
): Usage {
  const total = nothing();
  const sums = new Map<string, Counted>(by === "day" ? daysOf(from, to).map((day) => [day, nothing()]) : []);
  for (const one of spent) {
    const key = keyOf(one, by);
    const sum = sums.get(key) ?? nothing();
    sums.set(key, sum);
    for (const counted of [sum, total]) add(counted, one);
  }
  const rows = [...sums].map(([key, sum]) => ({ key, name: by === "person" ? nameOf(key) : null, ...sum }));
  const order =
    by === "day"
      ? (a: Usage["rows"][number], b: Usage["rows"][number]) => (a.key < b.key ? -1 : 1)
      : (a: Usage["rows"][number], b: Usage["rows"][number]) =>
          b.microDollars - a.microDollars || tokensOf(b) - tokensOf(a) || (a.key < b.key ? -1 : 1);
  return { by, from, to, rows: rows.toSorted(order), total };
}

function keyOf({ hour, agent, principal, provider, model }: Spent, by: UsageBy): string {
  switch (by) {
    case "agent":
      return agent;
    case "person":
      return principal;
    case "model":
      return `${provider}/${model}`;
    case "day":
      return hour.slice(0, 10);
  }
}

function daysOf(from: string, to: string): string[] {
  const first = Date.parse(from);
  const days = Math.floor((Date.parse(to) - first) / DAY_MS) + 1;
  if (!(days > 0 && days <= MAX_DAYS)) return [];
  return Array.from({ length: days }, (_, index) => new Date(first + index * DAY_MS).toISOString().slice(0, 10));
}

function nothing(): Counted {
  return { calls: 0, inputTokens: 0, outputTokens: 0, microDollars: 0, unpriced: 0 };
}

function add(to: Counted, { calls, inputTokens, outputTokens, microDollars, unpriced }: Spent): void {
  to.calls += calls;
  to.inputTokens += inputTokens;
  to.outputTokens += outputTokens;
  to.microDollars += microDollars;
  to.unpriced += unpriced;
}

function tokensOf({ inputTokens, outputTokens }: Counted): number {
  return inputTokens + outputTokens;
}
