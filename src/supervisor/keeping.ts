import type { AnswerTo, OperatorCall } from "../ipc/operator.ts";
import type { Erasure } from "./erasure.ts";
import { type Hold, type Holds, sentenceOf } from "./holds.ts";
import type { By } from "./people.ts";
import type { Retention } from "./retention.ts";

type KeepingName = "audit.erase" | "audit.prune" | "hold.add" | "hold.list" | "hold.remove";
type KeepingCall = Extract<OperatorCall, { call: KeepingName }>;
type Answers = { [C in KeepingName]: AnswerTo<C> }[KeepingName];

/** What the owner asks about how long things are kept. */
export class Keeping {
  readonly retention: Retention;
  readonly #erasure: Erasure;
  readonly #holds: Holds;

  constructor(parts: { erasure: Erasure; holds: Holds; retention: Retention }) {
    this.#erasure = parts.erasure;
    this.#holds = parts.holds;
    this.retention = parts.retention;
  }

  async answer(call: KeepingCall, who: By): Promise<Answers> {
    switch (call.call) {
      case "audit.erase":
        return await this.#erasure.erase(call.target, call.reason, who);
      case "audit.prune":
        return await this.retention.prune(call.before, who);
      case "hold.add":
        return viewOf(await this.#holds.add(call.target, call.reason, who));
      case "hold.list":
        return { holds: this.#holds.list().map((hold) => viewOf(hold)) };
      case "hold.remove":
        return viewOf(await this.#holds.remove(call.hold, call.reason, who));
    }
  }
}

function viewOf({ hold, target, reason, at, by }: Hold): AnswerTo<"hold.add"> {
  return { hold, sentence: sentenceOf(target), reason, at, by };
}
