import type { ActionOf } from "../../audit/action.ts";
import type { AuditLog } from "../../audit/log.ts";
import { AuditError } from "../../audit/error.ts";
import type { Effects } from "../effect/effects.ts";
import type { ModelAnswer } from "../effect/model.ts";
import type { AskedRequest } from "../effect/request.ts";
import type { CompletionFailure, StopReason } from "../ipc/model-frames.ts";
import type { Budget, Reached, Reservation, Reserving, Spending } from "./budget.ts";
import { warningOf, windowStart } from "./budget-limit.ts";
import { chainOf } from "./lowered.ts";
import type { EndTurn, TurnContext } from "./turn.ts";

/** A completion as an agent asks for it. */
export interface CompletionAsk {
  /** Its reference on the agent's pipe: the `group` of the calls that come from it. */
  readonly ref: number;
  /** At most 32 MiB: its items are hashed and forwarded, never parsed here. */
  readonly request: AskedRequest;
}

/** Which model answers, as the configuration says. */
export interface ModelChoice {
  readonly provider: string;
  readonly model: string;
  readonly maxOutputTokens: number;
  readonly timeoutMs: number;
}

export type CompletionOutcome =
  | {
      readonly state: "completed";
      readonly answer: Uint8Array;
      readonly stop: StopReason;
      readonly row: number;
      /** What the people in the conversation are told besides, a sentence each. */
      readonly notices: readonly string[];
    }
  | {
      readonly state: "failed";
      readonly code: CompletionFailure;
      /** One sentence for the person. */
      readonly sentence: string;
      readonly endTurn: { readonly reason: EndTurn; readonly sentence: string } | null;
    };

export interface CompletionEvents {
  readonly delta: (text: Uint8Array) => void;
  /** The whole answer, while its row is being written. What follows from it has to wait for the outcome, which may be that it could not be. */
  readonly answered: (answer: Uint8Array, stop: StopReason) => void;
}

interface CompletionGates {
  readonly log: Pick<AuditLog, "record" | "append">;
  readonly effects: Effects;
  readonly budget: Budget;
}

/** Reserves, records, calls, settles. A model process that died before it said anything is asked once more, under a row of its own. */
export async function complete(
  gates: CompletionGates,
  turn: TurnContext,
  ask: CompletionAsk,
  model: ModelChoice,
  on: CompletionEvents,
  signal: AbortSignal,
): Promise<CompletionOutcome> {
  if (signal.aborted || turn.signal.aborted) return failed("cancelled", "the turn was stopped", "stopped");
  const spending: Spending = {
    agent: turn.agent,
    principal: turn.principal,
    provider: model.provider,
    model: model.model,
    requestBytes: ask.request.bytes,
    maxOutputTokens: model.maxOutputTokens,
  };
  const reserved = gates.budget.reserve(spending);
  const reserving = turn.scheduled?.within(gates.budget.most(spending), reserved) ?? reserved;
  if ("refused" in reserving) return await exhausted(gates.log, turn, reserving);
  const { reservation } = reserving;
  const both = AbortSignal.any([signal, turn.signal]);
  try {
    const first = await once(gates, turn, ask, model, reservation, on, both);
    const died = first.state === "failed" && first.code === "died" && !first.streamed;
    const last = died && !both.aborted ? await once(gates, turn, ask, model, reservation, on, both) : first;
    if (last.state === "failed") return failed(last.code, last.sentence, null);
    return { ...last, notices: await warn(gates, turn) };
  } catch (cause) {
    if (!(cause instanceof AuditError)) throw cause;
    return failed("refused", `the call could not be recorded (${cause.message}), so nothing more is done`, "failed");
  } finally {
    // Settled already if there was an answer.
    reservation.release();
  }
}

async function exhausted(
  log: CompletionGates["log"],
  turn: TurnContext,
  { refused, reached }: Extract<Reserving, { refused: string }>,
): Promise<CompletionOutcome> {
  if (reached !== null)
    await log.append({ kind: "budget.exhausted", ...fieldsOf(reached) }, { cause: turn.cause }).catch(() => undefined);
  return failed("refused", refused, "budget");
}

/** @returns what is said of budgets that most of is used, once in each hour, day or month. */
async function warn({ log, budget }: CompletionGates, turn: TurnContext): Promise<string[]> {
  const said: string[] = [];
  for (const reached of budget.warnings(turn.agent, turn.principal)) {
    await log.append({ kind: "budget.warned", ...fieldsOf(reached) }, { cause: turn.cause });
    said.push(warningOf(reached.limit, reached.used));
  }
  return said;
}

function fieldsOf({ limit, window, used }: Reached): Omit<ActionOf<"budget.warned">, "kind"> {
  const { subject, id, per, unit, most } = limit;
  return {
    agent: subject === "agent" ? id : null,
    principal: subject === "person" ? id : null,
    per,
    unit,
    most,
    used,
    since: windowStart(window),
  };
}

type Tried =
  | Omit<Extract<CompletionOutcome, { state: "completed" }>, "notices">
  | Extract<ModelAnswer, { state: "failed" }>;

async function once(
  { log, effects }: CompletionGates,
  turn: TurnContext,
  ask: CompletionAsk,
  model: ModelChoice,
  reservation: Reservation,
  on: CompletionEvents,
  signal: AbortSignal,
): Promise<Tried> {
  await using recorded = await log.record(
    {
      kind: "model.called",
      turn: turn.turn,
      session: turn.session,
      agent: turn.agent,
      principal: turn.principal,
      ...chainOf(turn),
      provider: model.provider,
      model: model.model,
      policy: turn.policy,
      settings: turn.settings,
      ...(ask.request.files.length === 0 ? {} : { files: "shown" as const }),
    },
    { cause: turn.cause, seal: turn.session, content: { items: ask.request.recordable() } },
  );
  ask.request.recordedAs(recorded.seq);
  const { maxOutputTokens, timeoutMs } = model;
  const pieces: Uint8Array[] = [];
  const heard = (text: Uint8Array): void => {
    pieces.push(Uint8Array.from(text));
    on.delta(text);
  };
  const answer = await effects.callModel(recorded, ask.request, { maxOutputTokens, timeoutMs }, heard, signal);
  if (answer.state === "failed") {
    await recorded.fail(new Error(`${answer.code}: ${answer.sentence}`));
    if (answer.streamed) {
      const text = Buffer.concat(pieces);
      if (text.toString("utf8").trim() !== "")
        await log.append(
          { kind: "answer.cut", turn: turn.turn, session: turn.session, ...chainOf(turn) },
          { cause: recorded.seq, seal: turn.session, content: { text } },
        );
      // What was streamed was paid for, as far as anybody knows all of it.
      const inputTokens = Math.ceil(ask.request.bytes / 4);
      const microDollars = reservation.settle(inputTokens, maxOutputTokens);
      const { provider, model: name } = model;
      await log.append(
        {
          kind: "budget.estimated",
          agent: turn.agent,
          principal: turn.principal,
          provider,
          model: name,
          inputTokens,
          outputTokens: maxOutputTokens,
          microDollars,
        },
        { cause: recorded.seq },
      );
    }
    return answer;
  }
  const { inputTokens, outputTokens, stop } = answer;
  const microDollars = reservation.settle(inputTokens, outputTokens);
  const recording = recorded.finish(
    { kind: "model.answered", model: named(answer.model, model.model), inputTokens, outputTokens, microDollars, stop },
    { answer: answer.answer },
  );
  on.answered(answer.answer, stop);
  const row = await recording;
  turn.counters.answered.set(ask.ref, row.seq);
  return { state: "completed", answer: answer.answer, stop, row: row.seq };
}

/** The id that the provider returned, if it is one that a row may hold; else the one that was asked for. */
function named(returned: string, asked: string): string {
  return /^[\x21-\x7e]{1,200}$/.test(returned) ? returned : asked;
}

function failed(code: CompletionFailure, sentence: string, reason: EndTurn | null): CompletionOutcome {
  return { state: "failed", code, sentence, endTurn: reason === null ? null : { reason, sentence } };
}
