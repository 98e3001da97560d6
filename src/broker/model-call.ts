import type { ModelAnswer } from "../effect/model.ts";
import type { Showing, StopReason } from "../ipc/model-frames.ts";
import type { Reservation } from "./budget.ts";
import type { CompletionAsk, CompletionEvents, CompletionGates, ModelChoice } from "./completion.ts";
import { chainOf } from "./lowered.ts";
import type { Outage } from "./outages.ts";
import type { TurnContext } from "./turn.ts";

/** One call to one model. */
export interface CallOf {
  readonly gates: Pick<CompletionGates, "log" | "effects">;
  readonly turn: TurnContext;
  readonly ask: CompletionAsk;
  readonly model: ModelChoice;
  readonly reservation: Reservation;
  /** The agent's own model, and why that is not the one that is asked. */
  readonly because: { readonly instead: string; readonly because: Outage } | null;
  /** What of the files that the request names is shown. */
  readonly show: Showing;
  /** The row by which its provider showed what it is. */
  readonly attested: number | null;
  readonly others: boolean;
  readonly on: CompletionEvents;
  readonly signal: AbortSignal;
}

export type Called =
  | {
      readonly state: "completed";
      readonly answer: Uint8Array;
      readonly stop: StopReason;
      readonly row: number;
      readonly inputTokens: number;
    }
  | Extract<ModelAnswer, { state: "failed" }>;

/** Records a call, makes it, records what came of it, and settles what it cost. @throws {AuditError} */
export async function callOnce(call: CallOf): Promise<Called> {
  const { gates, turn, ask, model, reservation } = call;
  const { log, effects } = gates;
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
      ...call.because,
      ...(ask.purpose === undefined ? {} : { purpose: ask.purpose }),
      ...(call.attested === null ? {} : { attested: call.attested }),
      ...(ask.request.files.length === 0 ? {} : { files: call.show }),
    },
    { cause: turn.cause, seal: turn.session, content: { items: ask.request.recordable() } },
  );
  ask.request.recordedAs(recorded.seq);
  const { maxOutputTokens, timeoutMs } = model;
  const limits = { maxOutputTokens, timeoutMs, others: call.others };
  const pieces: Uint8Array[] = [];
  const heard = (text: Uint8Array): void => {
    pieces.push(Uint8Array.from(text));
    call.on.delta(text);
  };
  const answer = await effects.callModel(recorded, ask.request, limits, heard, call.signal);
  if (answer.state === "failed") {
    await recorded.fail(new Error(`${answer.code}: ${answer.sentence}`));
    if (answer.streamed) {
      await cut(call, recorded.seq, Buffer.concat(pieces));
      await estimate(call, recorded.seq);
    }
    return answer;
  }
  const { inputTokens, outputTokens, stop } = answer;
  const microDollars = reservation.settle(inputTokens, outputTokens);
  const recording = recorded.finish(
    { kind: "model.answered", model: named(answer.model, model.model), inputTokens, outputTokens, microDollars, stop },
    { answer: answer.answer },
  );
  call.on.answered(answer.answer, stop);
  const row = await recording;
  turn.counters.answered.set(ask.ref, row.seq);
  return { state: "completed", answer: answer.answer, stop, row: row.seq, inputTokens };
}

/** What had come of the answer is on the log: its person has read it. */
async function cut({ gates, turn, ask }: CallOf, called: number, text: Buffer): Promise<void> {
  if (ask.purpose !== undefined || text.toString("utf8").trim() === "") return;
  await gates.log.append(
    { kind: "answer.cut", turn: turn.turn, session: turn.session, ...chainOf(turn) },
    { cause: called, seal: turn.session, content: { text } },
  );
}

/** What was streamed was paid for, as far as anybody knows all of it. */
async function estimate({ gates, turn, ask, model, reservation }: CallOf, called: number): Promise<void> {
  const inputTokens = Math.ceil(ask.request.bytes / 4);
  const microDollars = reservation.settle(inputTokens, model.maxOutputTokens);
  await gates.log.append(
    {
      kind: "budget.estimated",
      agent: turn.agent,
      principal: turn.principal,
      provider: model.provider,
      model: model.model,
      inputTokens,
      outputTokens: model.maxOutputTokens,
      microDollars,
    },
    { cause: called },
  );
}

/** The id that the provider returned, if it is one that a row may hold; else the one that was asked for. */
function named(returned: string, asked: string): string {
  return /^[\x21-\x7e]{1,200}$/.test(returned) ? returned : asked;
}
