import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { Clock } from "../../audit/ports.ts";
import { costOf } from "./prices.ts";

/** Tokens a day, of models whose price is not known. */
export const TOKENS_A_DAY = 2_000_000;
/** Text has three to four bytes a token; what is reserved should rather be too much. */
const BYTES_PER_TOKEN = 2;
const DAY_MS = 24 * 3_600_000;

export interface BudgetLimits {
  /** US dollars a day that an agent may spend. */
  agentDollars(agent: string): number;
  /** US dollars a day that may be spent for a principal, by all agents. */
  principalDollars(principal: string): number;
}

/** A call to a model, before it is made. */
export interface Spending {
  readonly agent: string;
  readonly principal: string;
  readonly provider: string;
  readonly model: string;
  /** A model on this machine costs nothing. */
  readonly local: boolean;
  readonly requestBytes: number;
  readonly maxOutputTokens: number;
}

/** What was set aside for a call; settled once. */
export interface Reservation {
  /** @returns millionths of a US dollar; null where the price is not known. */
  settle(inputTokens: number, outputTokens: number): number | null;
  /** Nothing was used. */
  release(): void;
}

export type Reserving = { readonly reservation: Reservation } | { readonly refused: string };

interface Account {
  microDollars: number;
  tokens: number;
}

/** Money and tokens, per agent and per principal, per day (UTC): reserved before a call, settled after it. */
export class Budget {
  readonly #clock: Clock;
  readonly #limits: BudgetLimits;
  #day: number;
  readonly #accounts = new Map<string, Account>();

  /** Adds up what the log says was spent today. @param isLocal was this provider on this machine? */
  constructor(
    log: Pick<AuditLog, "rows" | "row">,
    clock: Clock,
    limits: BudgetLimits,
    isLocal: (provider: string) => boolean,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#day = dayOf(clock.now());
    for (const answered of newestFirst(log, "model.answered")) {
      if (dayOf(Date.parse(answered.at)) < this.#day) break;
      if (answered.action.kind !== "model.answered" || answered.cause === null) continue;
      const called = log.row(answered.cause)?.action;
      if (called?.kind !== "model.called" || isLocal(called.provider)) continue;
      const { microDollars, inputTokens, outputTokens } = answered.action;
      for (const account of this.#accountsOf(called.agent, called.principal))
        add(account, microDollars, inputTokens + outputTokens);
    }
  }

  /** Sets aside the most that a call can cost. @returns or why it would be too much, in a sentence. */
  reserve(spending: Spending): Reserving {
    this.#turnTheDay();
    const { agent, principal, provider, model } = spending;
    if (spending.local) return { reservation: { settle: () => 0, release: () => undefined } };
    const inputTokens = Math.ceil(spending.requestBytes / BYTES_PER_TOKEN);
    const most = costOf(provider, model, inputTokens, spending.maxOutputTokens);
    const tokens = inputTokens + spending.maxOutputTokens;
    for (const [whose, account, limit] of this.#limited(agent, principal)) {
      const refused = refusal(whose, account, limit * 1e6, most, tokens, `${provider}/${model}`);
      if (refused !== null) return { refused };
    }
    const day = this.#day;
    const accounts = this.#accountsOf(agent, principal);
    for (const account of accounts) add(account, most, tokens);
    let open = true;
    const close = (cost: number | null, used: number): void => {
      if (!open) return;
      open = false;
      // What was reserved yesterday is not on today's accounts.
      if (day !== this.#day) return;
      for (const account of accounts) {
        add(account, most === null ? null : -most, -tokens);
        add(account, cost, used);
      }
    };
    return {
      reservation: {
        settle: (input, output) => {
          const cost = costOf(provider, model, input, output);
          close(cost, input + output);
          return cost;
        },
        release: () => close(most === null ? null : 0, 0),
      },
    };
  }

  /** What an agent has spent today, what is reserved included. */
  spent(agent: string): { readonly microDollars: number; readonly tokens: number } {
    this.#turnTheDay();
    return { ...this.#account(`agent ${agent}`) };
  }

  #limited(agent: string, principal: string): (readonly [string, Account, number])[] {
    return [
      [`agent ${agent}`, this.#account(`agent ${agent}`), this.#limits.agentDollars(agent)],
      ["the person who asks", this.#account(`principal ${principal}`), this.#limits.principalDollars(principal)],
    ];
  }

  #accountsOf(agent: string, principal: string): Account[] {
    return [this.#account(`agent ${agent}`), this.#account(`principal ${principal}`)];
  }

  #account(name: string): Account {
    const found = this.#accounts.get(name) ?? { microDollars: 0, tokens: 0 };
    this.#accounts.set(name, found);
    return found;
  }

  #turnTheDay(): void {
    const day = dayOf(this.#clock.now());
    // A clock that is set back does not give the day's money a second time.
    if (day <= this.#day) return;
    this.#day = day;
    this.#accounts.clear();
  }
}

/** Models of known price are limited by money, the others by tokens. */
function refusal(
  whose: string,
  account: Account,
  limit: number,
  most: number | null,
  tokens: number,
  model: string,
): string | null {
  const when = "it starts anew at midnight UTC";
  if (most === null) {
    if (account.tokens + tokens <= TOKENS_A_DAY) return null;
    return `the day's ${TOKENS_A_DAY.toLocaleString("en-US")} tokens of ${whose} for models without a known price, such as ${model}, are used up: ${when}`;
  }
  if (account.microDollars + most <= limit) return null;
  return `the day's budget of ${whose} (${dollars(limit)}) does not hold another call to ${model}: ${dollars(account.microDollars)} are spent or reserved, and this one may cost ${dollars(most)}; ${when}, or raise budgetUsdPerDay`;
}

/** Tokens are counted where there is no price for them. */
function add(account: Account, microDollars: number | null, tokens: number): void {
  if (microDollars === null) account.tokens += tokens;
  else account.microDollars += microDollars;
}

function dollars(microDollars: number): string {
  return `$${(microDollars / 1e6).toFixed(2)}`;
}

function dayOf(milliseconds: number): number {
  return Math.floor(milliseconds / DAY_MS);
}

function* newestFirst(log: Pick<AuditLog, "rows">, kind: string): Generator<CommittedRow> {
  let before: number | null = null;
  for (;;) {
    const rows = log.rows({ kind, limit: 1000, ...(before === null ? {} : { before }) });
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < 1000) return;
    before = last.seq;
  }
}
