import type { ToolAsk } from "./call.ts";
import type { TurnContext } from "./turn.ts";

/** Requests that nobody answered, kept for whoever comes too late. */
const MAX_REPEATS = 64;
/** Arguments of one call that are kept; longer ones the agent has to think of again. */
const MAX_BYTES = 256 * 1024;

/** What nobody answered in time: the calls as the model made them, to be decided anew. */
export interface Repeat {
  readonly approval: string;
  readonly turn: Pick<TurnContext, "turn" | "session" | "channel" | "agent" | "principal" | "cause">;
  readonly asks: readonly ToolAsk[];
  /** Answers that nobody let out. */
  readonly replies: readonly string[];
}

/** What can be asked again, once. */
export class Repeats {
  readonly #kept = new Map<string, Repeat>();

  /** A call of a request that expired. */
  add(approval: string, turn: TurnContext, ask: ToolAsk): void {
    if (ask.arguments.length > MAX_BYTES) return;
    this.#keep(approval, turn, { asks: [{ ...ask, arguments: ask.arguments.slice() }], replies: [] });
  }

  /** An answer that nobody let out in time. */
  addReply(approval: string, turn: TurnContext, text: string): void {
    this.#keep(approval, turn, { asks: [], replies: [text] });
  }

  #keep(approval: string, turn: TurnContext, more: Pick<Repeat, "asks" | "replies">): void {
    const { asks, replies } = this.#kept.get(approval) ?? { asks: [], replies: [] };
    const { turn: id, session, channel, agent, principal, cause } = turn;
    this.#kept.set(approval, {
      approval,
      turn: { turn: id, session, channel, agent, principal, cause },
      asks: [...asks, ...more.asks],
      replies: [...replies, ...more.replies],
    });
    const oldest = this.#kept.keys().next();
    if (this.#kept.size > MAX_REPEATS && oldest.done !== true) this.#kept.delete(oldest.value);
  }

  find(approval: string): Repeat | null {
    return this.#kept.get(approval) ?? null;
  }

  /** It is asked again: not twice. */
  take(approval: string): Repeat | null {
    const found = this.find(approval);
    this.#kept.delete(approval);
    return found;
  }

  /** Of somebody who is out, or a conversation that was erased, nothing is asked again. */
  forget(which: (repeat: Repeat) => boolean): void {
    for (const [approval, repeat] of this.#kept) if (which(repeat)) this.#kept.delete(approval);
  }
}
