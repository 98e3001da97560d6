import type { AuditLog } from "../../audit/log.ts";
import type { Broker } from "../broker/broker.ts";
import type { TurnContext } from "../broker/turn.ts";
import { Answer } from "../ipc/completion.ts";
import { packRequest } from "../ipc/items.ts";
import { planned, SUMMARY_INSTRUCTIONS, summaryQuestion } from "./compaction.ts";
import type { CompactionPlan } from "./compaction-plan.ts";
import type { ContextWindows, ModelRef } from "./context-windows.ts";
import { Conversation } from "./conversation.ts";
import { saidBefore } from "./said-rows.ts";
import type { State } from "./state.ts";
import { type Told, Transcript } from "./transcript.ts";

/** A summary may take this long, in milliseconds. */
const SUMMARY_MS = 5 * 60_000;
/** Tokens of a summary at the most. */
const SUMMARY_TOKENS = 2_048;
/** Under which a summary is asked for: no call of an agent's comes from it. */
const NO_REF = -2;
/** After every row that there is. */
const NOW = Number.MAX_SAFE_INTEGER;

export type CompactionReason = "window" | "too-long" | "asked";

export interface Compacted {
  /** What is left. */
  readonly told: readonly Told[];
  readonly results: number;
  /** Messages that a summary stands for. */
  readonly messages: number;
  /** Words of people that are in the summary only. */
  readonly summarised: number;
  /** The row of the summary. */
  readonly summary: number | null;
  readonly before: number;
  readonly after: number;
}

export interface CompactorParts {
  readonly log: AuditLog;
  readonly state: State;
  readonly broker: Broker;
  readonly windows: ContextWindows;
  /** A conversation with a model has ended: resolves when nobody has anything of it. */
  readonly over: (conversation: number) => Promise<void>;
}

/** Makes a conversation shorter for its model: the oldest results of tools are named by their rows only, and then a summary stands for what is oldest. It lowers no label: what
 *  is left may have been made of what is gone. */
export class Compactor {
  readonly #parts: CompactorParts;

  constructor(parts: CompactorParts) {
    this.#parts = parts;
  }

  /** What was said in a session by now, in the middle of a turn too. */
  told(session: string): readonly Told[] {
    const { log, state } = this.#parts;
    const transcript = new Transcript((seq) => log.row(seq));
    for (const said of saidBefore(log, state, session, NOW)) transcript.take(said);
    return transcript.now;
  }

  /** @param fixed bytes of a request that are not messages. @param room tokens that a request may have.
   *  @returns null: nothing could be left out; or why not: one sentence. @throws {AuditError} if it cannot be recorded: then nothing is left out. */
  async compact(
    turn: TurnContext,
    model: ModelRef,
    fixed: number,
    room: number,
    reason: CompactionReason,
  ): Promise<Compacted | string | null> {
    const { log, windows } = this.#parts;
    const told = this.told(turn.session);
    const bytes = windows.bytesOf(model, room);
    const plan = planned(told, fixed, bytes, reason === "asked");
    if (plan === null) return null;
    const size = (all: readonly Told[]): number => windows.tokensOf(model, fixed + bytesOf(all));
    let summary: number | null = null;
    let made: CompactionPlan = plan;
    if (plan.from > 0) {
      made = { ...plan, room: bytes };
      const asked = await this.#summary(turn, model, summaryQuestion(told, plan.from, bytes));
      if (typeof asked === "string") return asked;
      summary = asked.row;
    }
    const messages = told.filter(({ row }) => row < plan.from).length;
    const before = size(told);
    await log.append(
      {
        kind: "context.compacted",
        turn: turn.turn,
        session: turn.session,
        reason,
        results: plan.results.length,
        messages,
        summary,
        before,
        // Known exactly only now that it is made: what the plan leaves, and the summary.
        after: size(left(told, made)) + (summary === null ? 0 : SUMMARY_TOKENS),
      },
      { cause: summary ?? turn.cause, seal: turn.session, content: { plan: JSON.stringify(made) } },
    );
    const now = this.told(turn.session);
    return {
      told: now,
      results: plan.results.length,
      messages,
      summarised: plan.summarised,
      summary,
      before,
      after: size(now),
    };
  }

  /** Asks for a summary: a call of its own, under the budget, on the record. @returns its row, or one sentence. */
  async #summary(turn: TurnContext, model: ModelRef, question: string): Promise<{ row: number } | string> {
    const { broker, windows, over } = this.#parts;
    const request = {
      instructions: SUMMARY_INSTRUCTIONS,
      tools: [],
      messages: [{ role: "user" as const, text: question }],
    };
    const packed = packRequest(request, 0);
    const conversation = new Conversation(() => Promise.resolve(packed));
    try {
      const outcome = await broker.complete(
        turn,
        { ref: NO_REF, request: conversation.ask(1, 0, packed), purpose: "summary" },
        [
          {
            provider: model.provider,
            model: model.model,
            maxOutputTokens: Math.min(SUMMARY_TOKENS, windows.outputOf(model)),
            timeoutMs: SUMMARY_MS,
          },
        ],
        { delta: () => undefined, answered: () => undefined },
        turn.signal,
      );
      if (outcome.state === "failed") return outcome.sentence;
      const answer = Answer.safeParse(JSON.parse(Buffer.from(outcome.answer).toString("utf8")));
      if (!answer.success || answer.data.text.trim() === "") return "the model gave no summary of what was said before";
      return { row: outcome.row };
    } finally {
      await over(conversation.number);
    }
  }
}

/** What a plan leaves, the summary aside. */
function left(told: readonly Told[], plan: CompactionPlan): Told[] {
  const [results, kept] = [new Set(plan.results), new Set(plan.kept.map(({ row }) => row))];
  return told.filter(({ row, message }) => {
    if (message.role === "tool" && results.has(row)) return false;
    return row >= plan.from || (message.role === "user" && kept.has(row));
  });
}

/** Of messages in a request, in bytes. */
export function bytesOf(told: readonly Told[]): number {
  return packRequest({ instructions: "", tools: [], messages: told.map(({ message }) => message) }, 1).length;
}

/** What people are told of it; null: nothing of theirs was touched. @param asked they asked for it. */
export function compactedText({ messages, results, summary, summarised }: Compacted, asked = false): string | null {
  if (summary === null) return null;
  const why = asked ? "A" : "This conversation had become too long for the model: a";
  const notes =
    results === 0
      ? ""
      : ` Of ${results === 1 ? "one result I know its row" : `${results} results I know the rows`} only.`;
  const words =
    summarised === 0
      ? "What you wrote I still have word for word."
      : `Of what you wrote, ${summarised === 1 ? "the oldest message is" : `the ${summarised} oldest messages are`} in that summary only.`;
  const stands = messages === 1 ? "its oldest message" : `its ${messages} oldest messages`;
  return `${why} summary (row ${summary}) stands for ${stands} now.${notes} ${words} All of it stays on the record.`;
}
