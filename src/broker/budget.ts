import type { Clock } from "../../audit/ports.ts";
import {
  type Amount,
  type Ask,
  type Limit,
  type Period,
  PERIODS,
  refusalOf,
  type Subject,
  used,
  WARN_PERCENT,
  windowOf,
} from "./budget-limit.ts";
import { costOf, type Price } from "./prices.ts";

/** Text has three to four bytes a token; what is reserved should rather be too much. */
const BYTES_PER_TOKEN = 2;

/** What was used in one hour, by one agent for one person. */
export interface Used extends Readonly<Amount> {
  /** `2026-11-29T13`, UTC. */
  readonly hour: string;
  readonly agent: string;
  readonly principal: string;
}

/** What a budget rests on; all of it is asked for whenever it is needed. */
export interface BudgetPorts {
  /** The limits that hold for a call of this agent for this person. */
  readonly limits: (agent: string, principal: string) => readonly Limit[];
  /** Null for a model whose price is not known. */
  readonly price: (provider: string, model: string) => Price | null;
  /** What was used since the beginning of a month. @param since such as `2026-11`. */
  readonly used: (since: string) => Iterable<Used>;
  /** Was it said already, in this window, that so much of the limit is used? */
  readonly told: (limit: Limit, window: string, what: Told) => boolean;
}
export type Told = "warned" | "exhausted";

/** A call to a model, before it is made. */
export interface Spending {
  readonly agent: string;
  readonly principal: string;
  readonly provider: string;
  readonly model: string;
  readonly requestBytes: number;
  /** What the files that it shows count as, at the most. */
  readonly shownTokens?: number;
  readonly maxOutputTokens: number;
}

/** What was set aside for a call; settled once. */
export interface Reservation {
  /** @returns millionths of a US dollar; null where the price is not known. */
  settle(inputTokens: number, outputTokens: number): number | null;
  /** Nothing was used. */
  release(): void;
}

/** A limit that most of is used, or that did not hold a call. */
export interface Reached {
  readonly limit: Limit;
  /** The hour, day or month, as {@link windowOf} names it. */
  readonly window: string;
  /** Millionths of a US dollar, or tokens. */
  readonly used: number;
}

export type Reserving =
  | { readonly reservation: Reservation }
  /** `reached`: the limit that did not hold it, if that was not said before in this window. */
  | { readonly refused: string; readonly reached: Reached | null };

interface Account {
  window: string;
  readonly spent: Amount;
  readonly reserved: Amount;
}

/** Money and tokens, by agent and by person, per hour, day and month (UTC): reserved before a call, settled after it. */
export class Budget {
  readonly #clock: Clock;
  readonly #ports: BudgetPorts;
  readonly #accounts = new Map<string, Account>();
  readonly #told = new Set<string>();
  #now = 0;

  /** Adds up what was used in this month. */
  constructor(clock: Clock, ports: BudgetPorts) {
    this.#clock = clock;
    this.#ports = ports;
    const now = this.#time();
    for (const { hour, agent, principal, ...amount } of ports.used(windowOf("month", now))) {
      for (const per of PERIODS) {
        if (!hour.startsWith(windowOf(per, now))) continue;
        for (const account of this.#accountsOf(agent, principal, [per])) add(account.spent, amount);
      }
    }
  }

  /** The most that a call can take. */
  most({ provider, model, requestBytes, shownTokens = 0, maxOutputTokens }: Spending): Ask {
    const inputTokens = Math.ceil(requestBytes / BYTES_PER_TOKEN) + shownTokens;
    return asked(this.#ports.price(provider, model), inputTokens, maxOutputTokens);
  }

  /** Sets aside the most that a call can take. @returns or why it would be too much, in a sentence. */
  reserve(spending: Spending): Reserving {
    const { agent, principal, provider, model } = spending;
    const price = this.#ports.price(provider, model);
    const most = this.most(spending);
    for (const limit of this.#ports.limits(agent, principal)) {
      const { spent, reserved } = this.#account(limit.subject, limit.id, limit.per);
      const refused = refusalOf(limit, sum(spent, reserved), most, `${provider}/${model}`);
      if (refused !== null) return { refused, reached: this.#reached(limit, "exhausted") };
    }
    const held = amountOf(most);
    const windows = this.#accountsOf(agent, principal, PERIODS).map((account) => {
      add(account.reserved, held);
      return { account, window: account.window };
    });
    let open = true;
    const close = (amount: Amount | null): void => {
      if (!open) return;
      open = false;
      // A window that ended meanwhile took its reservations with it.
      for (const { account, window } of windows) if (account.window === window) add(account.reserved, held, -1);
      if (amount === null) return;
      for (const account of this.#accountsOf(agent, principal, PERIODS)) add(account.spent, amount);
    };
    return {
      reservation: {
        settle: (input, output) => {
          const took = asked(price, input, output);
          close(amountOf(took));
          return took.microDollars;
        },
        release: () => close(null),
      },
    };
  }

  /** The limits of a call's agent and person that most of is used by now, each once in its window. */
  warnings(agent: string, principal: string): Reached[] {
    return this.#ports.limits(agent, principal).flatMap((limit) => {
      const { spent } = this.#account(limit.subject, limit.id, limit.per);
      if (limit.most === 0 || used(limit, spent) * 100 < limit.most * WARN_PERCENT) return [];
      return this.#reached(limit, "warned") ?? [];
    });
  }

  /** What is used and what is set aside in the running hour, day or month. */
  account(
    subject: Subject,
    id: string,
    per: Period,
  ): { readonly spent: Readonly<Amount>; readonly reserved: Readonly<Amount> } {
    const { spent, reserved } = this.#account(subject, id, per);
    return { spent: { ...spent }, reserved: { ...reserved } };
  }

  /** @returns null where it was said before, in this process or in one before it. */
  #reached(limit: Limit, what: Told): Reached | null {
    const account = this.#account(limit.subject, limit.id, limit.per);
    const name = `${what} ${limit.subject} ${limit.id} ${limit.per} ${limit.unit} ${limit.most} ${account.window}`;
    if (this.#told.has(name)) return null;
    this.#told.add(name);
    if (this.#ports.told(limit, account.window, what)) return null;
    return { limit, window: account.window, used: used(limit, account.spent) };
  }

  #accountsOf(agent: string, principal: string, periods: readonly Period[]): Account[] {
    return periods.flatMap((per) => [this.#account("agent", agent, per), this.#account("person", principal, per)]);
  }

  #account(subject: Subject, id: string, per: Period): Account {
    const name = `${subject} ${id} ${per}`;
    const window = windowOf(per, this.#time());
    const known = this.#accounts.get(name);
    if (known !== undefined && known.window === window) return known;
    const made = { window, spent: none(), reserved: none() };
    this.#accounts.set(name, made);
    return made;
  }

  /** A clock that is set back does not give the day's money a second time. */
  #time(): number {
    this.#now = Math.max(this.#now, this.#clock.now());
    return this.#now;
  }
}

function asked(price: Price | null, inputTokens: number, outputTokens: number): Ask {
  const microDollars = price === null ? null : costOf(price, inputTokens, outputTokens);
  return { microDollars, tokens: inputTokens + outputTokens };
}

function amountOf({ microDollars, tokens }: Ask): Amount {
  return { microDollars: microDollars ?? 0, tokens, unpriced: microDollars === null ? tokens : 0 };
}

function none(): Amount {
  return { microDollars: 0, tokens: 0, unpriced: 0 };
}

function add(to: Amount, amount: Readonly<Amount>, times: 1 | -1 = 1): void {
  to.microDollars += times * amount.microDollars;
  to.tokens += times * amount.tokens;
  to.unpriced += times * amount.unpriced;
}

function sum(a: Amount, b: Amount): Amount {
  const total = { ...a };
  add(total, b);
  return total;
}
