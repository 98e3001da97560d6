import type { CommittedRow } from "../../audit/log.ts";
import { boundText, MAX_RESULT } from "../effect/bound.ts";
import { wentNoFurther } from "../broker/went-no-further.ts";
import { Answer, type ChatMessage, type ToolCall } from "../ipc/completion.ts";
import { afterTurn, SKILL_MARK, SKILL_TOOL } from "../ipc/skill-text.ts";
import { CUT_OFF, MAX_CALLS, NO_RESULT, NOT_RUN, NOT_RUN_MANY } from "../ipc/transcript-words.ts";
import { compactedOf } from "./compaction-plan.ts";
import { messageFiles, shownIn } from "./shown-files.ts";
import type { Origin } from "./conversation.ts";
import type { Said } from "./projection.ts";

/** What stands where content was. */
export const ERASED = "[erased]";
/** A skill that somebody asked for by its name was read by this call. */
export const BY_NAME = "by-name";

/** One message of a transcript, and where it comes from. */
export interface Told {
  readonly message: ChatMessage;
  /** What it is known by: of a message the row of its turn, of an answer its own, of a result that of its end. They only grow, from one group (a message, or an
   *  answer with its results) to the next. */
  readonly row: number;
  /** Whose content it is, byte for byte; null: of several rows, or ours. */
  readonly origin: Origin | null;
  /** Some of what it was made of is erased, or cannot be opened. */
  readonly erased: boolean;
}

/** A row of a session, and what it is to its transcript. */
export interface SaidRow {
  readonly row: CommittedRow;
  readonly what: Said;
}

/** A call of the newest answer, and what became of it by now. */
interface Open {
  readonly call: ToolCall;
  begun: boolean;
  result: Told | null;
}

/** What a model is shown of a session, made of its rows and nothing else, in their order: an agent that begins, a compaction, and a replay all have it from here.
 *  Calls stay together with their results, in the order of the calls; what was erased says so in its place. */
export class Transcript {
  readonly #rowOf: (seq: number) => CommittedRow | null;
  #told: Told[] = [];
  #open: Open[] = [];
  /** The newest answer was erased: its calls are known by what came of them. */
  #lost = false;

  /** @param rowOf another row, such as the one that a row names as its cause. */
  constructor(rowOf: (seq: number) => CommittedRow | null) {
    this.#rowOf = rowOf;
  }

  /** What was said by now. A call without a result has one that says so. */
  get now(): readonly Told[] {
    return [...this.#told, ...this.#results()];
  }

  /** The same once the turn is over. */
  get between(): readonly Told[] {
    return this.now.map((one) => ({ ...one, message: afterTurn(one.message) }));
  }

  /** Takes in the next row. */
  take({ row, what }: SaidRow): void {
    switch (what) {
      case "message": {
        this.#close();
        this.#told = this.#told.map((one) => ({ ...one, message: afterTurn(one.message) }));
        this.#told.push(this.#said(row.seq, row.cause === null ? null : this.#rowOf(row.cause), "text"));
        return;
      }
      case "told": {
        // With what belongs to the message it was this that the model was shown.
        const at = this.#told.findLastIndex(
          ({ message, origin }) => message.role === "user" && origin?.part === "text",
        );
        const said = this.#told[at];
        if (said !== undefined && this.#open.length === 0)
          this.#told.splice(at, Infinity, this.#said(said.row, row, "text"));
        return;
      }
      case "answer":
        this.#answered(row);
        return;
      case "cut": {
        this.#close();
        const text = textOf(row, "text");
        const message = { role: "assistant", text: text === null ? ERASED : `${text}${CUT_OFF}`, calls: [] } as const;
        this.#told.push({ message: { ...message, calls: [] }, row: row.seq, origin: null, erased: text === null });
        return;
      }
      case "call": {
        const open = this.#openOf(row);
        if (open !== null) open.begun = true;
        return;
      }
      case "result":
      case "refusal":
        this.#resulted(row, what);
        return;
      case "compacted":
        this.#close();
        this.#told = compactedOf(this.#told, row, this.#rowOf);
        return;
      case "model":
      case "notice":
        return;
    }
  }

  #said(known: number, row: CommittedRow | null, part: string): Told {
    const text = textOf(row, part);
    return {
      message: { role: "user", text: text ?? ERASED, ...messageFiles(shownIn(row)) },
      row: known,
      origin: row === null ? null : { row: row.seq, part },
      erased: text === null,
    };
  }

  #answered(row: CommittedRow): void {
    const json = textOf(row, "answer");
    const answer = json === null ? { text: ERASED, calls: [] } : answerOf(json);
    // An agent asks again where nothing was said.
    if (answer.calls.length === 0 && answer.text.trim() === "") return;
    this.#close();
    this.#lost = json === null;
    const { text, calls } = answer;
    const origin = { row: row.seq, part: "answer" };
    this.#told.push({ message: { role: "assistant", text, calls }, row: row.seq, origin, erased: json === null });
    this.#open = calls.map((call, at) => ({
      call,
      begun: false,
      result: at < MAX_CALLS ? null : ours(call, row.seq, NOT_RUN_MANY),
    }));
  }

  #resulted(row: CommittedRow, what: "result" | "refusal"): void {
    const intent = what === "refusal" ? row : row.cause === null ? null : this.#rowOf(row.cause);
    const tool = toolOf(intent);
    const part = what === "result" ? "result" : "told";
    // Of builds before this one it is not known what the model was told of a refusal.
    const text = textOf(row, part) ?? (what === "refusal" ? textOf(row, "why") : null);
    const known = { row: row.seq, origin: { row: row.seq, part }, erased: text === null };
    const words = text ?? ERASED;
    const id = textOf(intent, "call");
    const newest = this.#told.at(-1);
    if (this.#open.length === 0 && !this.#lost) {
      if (newest?.message.role !== "user") return;
      if (tool === SKILL_TOOL && id === BY_NAME) {
        const message = { ...newest.message, text: `${newest.message.text}${SKILL_MARK}${words}` };
        this.#told[this.#told.length - 1] = { ...newest, message, erased: newest.erased || known.erased };
        return;
      }
      // Of a call that was made again for a person: no answer of the model holds it. What the agent was told of it may follow.
      const message = { role: "user", text: `[${tool ?? "a tool"}, asked again]\n${words}` } as const;
      this.#told.push({ ...known, message, origin: null });
      return;
    }
    const open = this.#openOf(intent);
    if (open === null) return;
    const { call, result } = open;
    const before = result?.message.role === "tool" ? result.message.text : null;
    if (before === null) {
      open.result = { ...known, message: { role: "tool", call: call.id, name: call.name, text: words } };
      return;
    }
    // A redirect: the call has gone on to another action, whose end is its result.
    const whole = what === "result" ? words : boundText(wentNoFurther(before, words), MAX_RESULT);
    open.result = {
      ...known,
      message: { role: "tool", call: call.id, name: call.name, text: whole },
      origin: what === "result" ? known.origin : null,
      erased: known.erased || (what === "refusal" && result?.erased === true),
    };
  }

  /** The call that a row is about: by the model's id for it, and where that is not known any more by its tool. */
  #openOf(intent: CommittedRow | null): Open | null {
    const tool = toolOf(intent);
    const id = textOf(intent, "call");
    const named = (one: Open): boolean => tool === null || one.call.name === tool || one.call.name === "";
    if (this.#lost && intent !== null) {
      const lost = this.#open.find(({ call }) => call.id === `row_${intent.seq}` || (id !== null && call.id === id));
      if (lost !== undefined) return lost;
      const call: ToolCall = { id: id ?? `row_${intent.seq}`, name: tool ?? "unknown", arguments: "{}" };
      const open: Open = { call, begun: true, result: null };
      this.#open.push(open);
      const at = this.#told.length - 1;
      const answer = this.#told[at];
      if (answer?.message.role === "assistant")
        this.#told[at] = { ...answer, message: { ...answer.message, calls: [...answer.message.calls, call] } };
      return open;
    }
    if (id === null) return this.#open.find((one) => one.result === null && named(one)) ?? null;
    const all = this.#open.filter(({ call }) => call.id === id);
    return all.find(({ result }) => result === null) ?? all.at(-1) ?? null;
  }

  #results(): Told[] {
    const newest = this.#told.at(-1)?.row ?? 0;
    return this.#open.map(({ call, begun, result }) => result ?? ours(call, newest, begun ? NO_RESULT : NOT_RUN));
  }

  #close(): void {
    this.#told.push(...this.#results());
    this.#open = [];
    this.#lost = false;
  }
}

function ours(call: ToolCall, row: number, text: string): Told {
  return { message: { role: "tool", call: call.id, name: call.name, text }, row, origin: null, erased: false };
}

function toolOf(row: CommittedRow | null): string | null {
  const action = row?.action;
  return action?.kind === "tool.called" || action?.kind === "tool.refused" ? action.tool : null;
}

export function textOf(row: CommittedRow | null, part: string): string | null {
  return row?.content(part) ?? null;
}

export function answerOf(json: string): Answer {
  try {
    const parsed = Answer.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : { text: ERASED, calls: [] };
  } catch {
    return { text: ERASED, calls: [] };
  }
}
