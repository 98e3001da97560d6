import type { ActionOf } from "../../audit/action.ts";
import type { CommittedRow } from "../../audit/log.ts";
import type { Fields, StateDatabase } from "./state-database.ts";

/** What models used, added up by the hour, so that neither a start nor a question reads the rows of a month; the budgets that were set; and of which of them
 *  it was said that they are nearly used up. `calling`: calls that are not answered yet. */
export const SPENDING = `
CREATE TABLE spent   (hour TEXT NOT NULL, agent TEXT NOT NULL, principal TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL,
                      input INTEGER NOT NULL, output INTEGER NOT NULL, micro INTEGER NOT NULL, unpriced INTEGER NOT NULL,
                      PRIMARY KEY (hour, agent, principal, provider, model)) STRICT, WITHOUT ROWID;
CREATE TABLE calling (seq INTEGER PRIMARY KEY, agent TEXT NOT NULL, principal TEXT NOT NULL, provider TEXT NOT NULL, model TEXT NOT NULL) STRICT;
CREATE TABLE budget  (agent TEXT NOT NULL, principal TEXT NOT NULL, per TEXT NOT NULL, unit TEXT NOT NULL, state TEXT NOT NULL, most INTEGER,
                      PRIMARY KEY (agent, principal, per, unit)) STRICT, WITHOUT ROWID;
CREATE TABLE told    (kind TEXT NOT NULL, agent TEXT NOT NULL, principal TEXT NOT NULL, per TEXT NOT NULL, unit TEXT NOT NULL, most INTEGER NOT NULL,
                      since TEXT NOT NULL, PRIMARY KEY (kind, agent, principal, per, unit, most)) STRICT, WITHOUT ROWID;
`;

/** What was used in one hour by one agent for one person with one model. */
export interface Spent {
  /** `2026-11-29T13`, UTC. */
  readonly hour: string;
  readonly agent: string;
  readonly principal: string;
  readonly provider: string;
  readonly model: string;
  readonly calls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly microDollars: number;
  /** Tokens that had no price. */
  readonly unpriced: number;
}

/** A budget as its newest row sets it: of an agent or of a person. */
export type SetBudget = Pick<ActionOf<"budget.set">, "agent" | "principal" | "per" | "unit" | "state" | "most">;
export type ToldOf = Pick<ActionOf<"budget.warned">, "agent" | "principal" | "per" | "unit" | "most" | "since">;

/** What one row changes. */
export function projectSpending(database: StateDatabase, { seq, at, cause, action }: CommittedRow): void {
  switch (action.kind) {
    case "model.called": {
      const { agent, principal, provider, model } = action;
      database.run("INSERT INTO calling VALUES (?, ?, ?, ?, ?)", seq, agent, principal, provider, model);
      return;
    }
    case "model.answered": {
      const called = database.one("SELECT agent, principal, provider, model FROM calling WHERE seq = ?", cause);
      if (called !== null) add(database, at, called, action);
      database.run("DELETE FROM calling WHERE seq = ?", cause);
      return;
    }
    case "budget.estimated": {
      const { agent, principal, provider, model } = action;
      add(database, at, { agent, principal, provider, model }, action);
      return;
    }
    case "action.failed":
    case "action.interrupted":
      database.run("DELETE FROM calling WHERE seq = ?", cause);
      return;
    case "budget.set":
      database.run(
        `INSERT INTO budget VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (agent, principal, per, unit) DO UPDATE SET state = excluded.state, most = excluded.most`,
        action.agent ?? "",
        action.principal ?? "",
        action.per,
        action.unit,
        action.state,
        action.most,
      );
      return;
    case "budget.warned":
    case "budget.exhausted":
      database.run(
        `INSERT INTO told VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (kind, agent, principal, per, unit, most) DO UPDATE SET since = excluded.since`,
        action.kind,
        action.agent ?? "",
        action.principal ?? "",
        action.per,
        action.unit,
        action.most,
        action.since,
      );
      return;
    default:
      return;
  }
}

function add(
  database: StateDatabase,
  at: string,
  { agent, principal, provider, model }: Fields,
  { inputTokens, outputTokens, microDollars }: ActionOf<"model.answered"> | ActionOf<"budget.estimated">,
): void {
  database.run(
    `INSERT INTO spent VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?) ON CONFLICT (hour, agent, principal, provider, model) DO UPDATE SET
     calls = calls + 1, input = input + excluded.input, output = output + excluded.output, micro = micro + excluded.micro,
     unpriced = unpriced + excluded.unpriced`,
    at.slice(0, 13),
    agent,
    principal,
    provider,
    model,
    inputTokens,
    outputTokens,
    microDollars ?? 0,
    microDollars === null ? inputTokens + outputTokens : 0,
  );
}

export function spent(database: StateDatabase, from: string, to: string): Spent[] {
  return database.many("SELECT * FROM spent WHERE hour >= ? AND hour < ? ORDER BY hour", from, to).map((row) => ({
    hour: String(row["hour"]),
    agent: String(row["agent"]),
    principal: String(row["principal"]),
    provider: String(row["provider"]),
    model: String(row["model"]),
    calls: Number(row["calls"]),
    inputTokens: Number(row["input"]),
    outputTokens: Number(row["output"]),
    microDollars: Number(row["micro"]),
    unpriced: Number(row["unpriced"]),
  }));
}

export function budgetsSet(database: StateDatabase): SetBudget[] {
  return database.many("SELECT * FROM budget").flatMap((row) => {
    const { per, unit, state } = row;
    if (per !== "hour" && per !== "day" && per !== "month") return [];
    if ((unit !== "usd" && unit !== "tokens") || (state !== "limited" && state !== "unlimited" && state !== "default"))
      return [];
    const [agent, principal] = [row["agent"], row["principal"]].map((value) => (value === "" ? null : String(value)));
    const most = row["most"] === null ? null : Number(row["most"]);
    return [{ agent: agent ?? null, principal: principal ?? null, per, unit, state, most }];
  });
}

export function told(database: StateDatabase, kind: string, of: ToldOf): boolean {
  const { agent, principal, per, unit, most, since } = of;
  const found = database.one(
    "SELECT 1 FROM told WHERE kind = ? AND agent = ? AND principal = ? AND per = ? AND unit = ? AND most = ? AND since = ?",
    kind,
    agent ?? "",
    principal ?? "",
    per,
    unit,
    most,
    since,
  );
  return found !== null;
}
