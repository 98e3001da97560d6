import type { AuditLog, CommittedRow } from "../../audit/log.ts";
import type { TurnView } from "../ipc/session-calls.ts";
import type { State } from "./state.ts";

/** Rows that are asked of the log at once. */
const ROWS_AT_ONCE = 1_000;

/** A turn of a session, with all of its rows that say which session they are of. */
export interface TurnRows {
  readonly view: TurnView;
  readonly rows: readonly CommittedRow[];
}

/** All rows of a session, oldest first, outcomes included. */
export async function rowsOf(
  log: Pick<AuditLog, "search">,
  session: string,
  signal?: AbortSignal,
): Promise<CommittedRow[]> {
  const rows: CommittedRow[] = [];
  for (let after = -1; ; ) {
    const page = await log.search({ session, after, limit: ROWS_AT_ONCE }, signal);
    rows.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < ROWS_AT_ONCE) return rows;
    after = last.seq;
  }
}

/** @param rows of one session, as {@link rowsOf} gives them. */
export function turnsOf(
  log: Pick<AuditLog, "row">,
  state: Pick<State, "person">,
  rows: readonly CommittedRow[],
): TurnRows[] {
  const turns: { view: TurnView; rows: CommittedRow[] }[] = [];
  const byId = new Map<string, (typeof turns)[number]>();
  const bySeq = new Map<number, (typeof turns)[number]>();
  for (const row of rows) {
    const { action } = row;
    if (action.kind === "turn.started") {
      const received = row.cause === null ? null : log.row(row.cause);
      const turn = { view: begun(turns.length + 1, row, action, received, state), rows: [] };
      turns.push(turn);
      byId.set(action.turn, turn);
    }
    const turn =
      "turn" in action && typeof action.turn === "string" ? byId.get(action.turn) : bySeq.get(row.cause ?? -1);
    if (turn === undefined) continue;
    turn.rows.push(row);
    bySeq.set(row.seq, turn);
    turn.view = counted(turn.view, row);
  }
  return turns;
}

function begun(
  number: number,
  row: CommittedRow,
  { turn, principal }: { readonly turn: string; readonly principal: string },
  received: CommittedRow | null,
  state: Pick<State, "person">,
): TurnView {
  return {
    number,
    turn,
    row: row.seq,
    at: row.at,
    person: state.person(principal)?.name ?? principal,
    text: received?.content("text") ?? null,
    ended: null,
    rounds: 0,
    tools: 0,
    refused: 0,
    compacted: 0,
    inputTokens: 0,
    outputTokens: 0,
    microDollars: 0,
  };
}

function counted(view: TurnView, { action }: CommittedRow): TurnView {
  switch (action.kind) {
    case "turn.ended":
      return { ...view, ended: action.reason, rounds: action.rounds };
    case "tool.called":
      return { ...view, tools: view.tools + 1 };
    case "tool.refused":
      return { ...view, refused: view.refused + 1 };
    case "context.compacted":
      return { ...view, compacted: view.compacted + 1 };
    case "model.answered":
    case "budget.estimated":
      return {
        ...view,
        inputTokens: view.inputTokens + action.inputTokens,
        outputTokens: view.outputTokens + action.outputTokens,
        microDollars: added(view.microDollars, action.microDollars),
      };
    default:
      return view;
  }
}

/** What has no price makes a sum that has none. */
export function added(sum: number | null, more: number | null): number | null {
  return sum === null || more === null ? null : sum + more;
}

/** What models used in a session; `microDollars` null: some of it has no price. */
export async function costOf(
  log: Pick<AuditLog, "search">,
  session: string,
): Promise<{ readonly tokens: number; readonly microDollars: number | null }> {
  let [tokens, microDollars]: [number, number | null] = [0, 0];
  for (const { action } of await rowsOf(log, session)) {
    if (action.kind !== "model.answered" && action.kind !== "budget.estimated") continue;
    tokens += action.inputTokens + action.outputTokens;
    microDollars = added(microDollars, action.microDollars);
  }
  return { tokens, microDollars };
}
