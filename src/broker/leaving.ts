import { type ActionOfType, decodeAction, digestOf, encodeAction } from "../effect/action.ts";
import { MAX_ASKED_REPLY } from "../effect/message-action.ts";
import { factsOf } from "./action.ts";
import type { Call } from "./call.ts";
import type { Gates } from "./gates.ts";
import { type Judge, REFUSAL } from "./judge.ts";
import { isLocal } from "./pending.ts";
import type { Refusing } from "./refusing.ts";
import type { Repeats } from "./repeats.ts";
import { crosses, inertFor } from "./reply.ts";
import { unattended } from "./schedules/unattended.ts";
import { severalFor } from "./several.ts";
import type { TurnContext } from "./turn.ts";

/** A reply came from no single completion, as far as cards gather calls of one. */
const NO_GROUP = -1;

/** What becomes of the end of a reply: of all of it, where nothing of it has left before. */
export type Left =
  /** Nobody need be asked. Empty: it has all left. */
  | { readonly state: "leaves"; readonly text: string }
  /** Somebody let it out: it leaves as a message of its own, under the row that says so. */
  | { readonly state: "approved"; readonly text: string; readonly rests: number }
  /** It does not leave. `told`: what is said in its place; null: nothing, for the turn was ended. */
  | { readonly state: "dropped"; readonly told: string | null };

export interface LeavingParts {
  readonly gates: Gates;
  readonly judge: Judge;
  readonly refusing: Refusing;
  readonly repeats: Repeats;
}

/** One reply on its way out: the one place that decides before anything of it leaves. Whoever shows it while it comes gives each piece in and shows what it
 *  gets back; whoever sends it whole gives all of it to {@link Leaving.end}. A label that is raised in between stops what has not left: that is decided at the end. */
export class Leaving {
  readonly #parts: LeavingParts;
  readonly #turn: TurnContext;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  /** What came and has not left. */
  #held = "";
  /** The last character that left as it was. */
  #last = "";
  /** Nothing more leaves before it is decided. */
  #shut = false;

  constructor(parts: LeavingParts, turn: TurnContext) {
    this.#parts = parts;
    this.#turn = turn;
  }

  /** More of it came. @param bytes UTF-8, which may end inside a character. @returns what may leave now, to be put behind what has left; often nothing. */
  piece(bytes: Uint8Array): string {
    this.#held += this.#decoder.decode(bytes, { stream: true });
    if (this.#shut || this.#held === "") return "";
    if (this.#asks(this.#held)) {
      this.#shut = true;
      return "";
    }
    return this.#passing(this.#plain ? this.#held.length : wholeWords(this.#held));
  }

  /** It is whole, and waits for whoever has to be asked. @param bytes what came last. @throws {AuditError} if that cannot be recorded: then it does not leave. */
  async end(bytes: Uint8Array = new Uint8Array()): Promise<Left> {
    this.#held = (this.#held + this.#decoder.decode(bytes)).toWellFormed();
    if (!crosses(this.#turn) || this.#held.trim() === "")
      return { state: "leaves", text: this.#passing(this.#held.length) };
    return await this.#decided();
  }

  /** Addresses stand as they are: nothing is in the conversation that one could carry, or it is shown by ourselves. */
  get #plain(): boolean {
    const { untrusted, private: whose } = this.#turn.labels.now;
    return (!untrusted && whose.length === 0) || isLocal(this.#turn.channel);
  }

  #passing(length: number): string {
    const text = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    if (text === "") return "";
    const sent = this.#plain ? text : inertFor(this.#turn, text);
    // An address of which the beginning has left is not completed.
    const broken = !this.#plain && this.#last !== "" && /\S/.test(this.#last) && /^\S/.test(sent);
    this.#last = this.#plain ? text.slice(-1) : "";
    return broken ? `\n${sent}` : sent;
  }

  #asks(text: string): boolean {
    if (!crosses(this.#turn)) return false;
    if (text.length > MAX_ASKED_REPLY) return true;
    const action = this.#action(text.toWellFormed());
    return this.#parts.judge.decide(this.#turn, encodeAction(action), action).verdict !== "allow";
  }

  #action(text: string): ActionOfType<"reply"> {
    const { conversation, channel } = this.#turn;
    const [known] = this.#parts.gates.effects.recipients(conversation, this.#turn);
    return { type: "reply", conversation, channel, readers: [...(known?.readers ?? [])], text };
  }

  async #decided(): Promise<Left> {
    const turn = this.#turn;
    const { gates, judge, refusing, repeats } = this.#parts;
    const text = this.#passing(this.#held.length);
    if (text.length > MAX_ASKED_REPLY)
      return dropped(`it is longer than the ${MAX_ASKED_REPLY} characters that are put before somebody`);
    const action = this.#action(text);
    const bytes = encodeAction(action);
    // What it was made from: the newest answer of the model.
    const cause = [...turn.counters.answered.values()].at(-1) ?? turn.cause;
    const call: Call = { turn, cause, id: "", tool: REPLY, why: null, action, bytes };
    const decision = judge.decide(turn, bytes, action);
    if (decision.verdict === "allow") return { state: "leaves", text };
    if (decision.verdict === "refuse") {
      await refusing.refuse(call, REFUSAL[decision.code], decision.reason);
      return decision.code === "stopped" ? ENDED : dropped(decision.reason);
    }
    if (turn.scheduled !== null) {
      await refusing.refuse(call, "policy", unattended(decision));
      return dropped("nobody is there to be asked in a run by schedule");
    }
    const { keys } = factsOf(action);
    const verdict = await gates.approvals.request({
      ...judge.asking(turn),
      group: NO_GROUP,
      cause,
      keys,
      tier: decision.tier,
      scopes: decision.scopes,
      remembers: decision.remembers,
      reason: decision.reason,
      actions: [bytes],
      whys: [null],
      end: null,
      several: severalFor(keys, gates.several()),
    });
    switch (verdict.state) {
      case "approved": {
        if (verdict.covers[0] !== digestOf(bytes)) {
          await refusing.refuse(call, "changed", "it is not what was approved");
          return dropped("it is not what was approved");
        }
        const shown = decodeAction(bytes);
        return { state: "approved", text: shown.type === "reply" ? shown.text : "", rests: verdict.rests };
      }
      case "denied":
        await refusing.deny(call, verdict.reason);
        return dropped(verdict.reason === null ? "somebody denied it" : `somebody denied it: ${verdict.reason}`);
      case "expired":
        repeats.addReply(verdict.approval, turn, text);
        await refusing.refuse(call, "expired", "nobody approved it in time");
        return dropped("nobody approved it in time");
      case "withdrawn":
        await refusing.refuse(call, "stopped", "the turn was stopped");
        return ENDED;
    }
  }
}

const REPLY = { name: "reply" };
const ENDED: Left = { state: "dropped", told: null };

function dropped(why: string): Left {
  return {
    state: "dropped",
    told: `I have an answer and do not give it here (${why}): I have read something that nobody of you wrote, and something that is not everybody's. Write to me directly, or begin anew with /new.`,
  };
}

/** How much of a text ends with a whole word, and inside no link as Markdown writes them. */
function wholeWords(text: string): number {
  const lines = text.lastIndexOf("\n") + 1;
  const last = text.slice(lines);
  // A label may hold blanks: such a line goes when it is whole.
  return last.includes("[") ? lines : lines + last.search(/\S*$/);
}
