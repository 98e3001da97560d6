import type { ApprovalRequest, Verdict } from "./approval-ports.ts";

/** Calls of one model answer that come within this time are one card. Against the time a person takes to read it is nothing. */
const GATHER_MS = 25;

/** What is asked on one card. */
export interface Batch {
  readonly requests: {
    readonly request: ApprovalRequest;
    readonly settle: (verdict: Verdict) => void;
    readonly fail: (cause: unknown) => void;
  }[];
}

/** Same-kind calls of one model answer, which come one after the other, become one card. */
export class Gathering {
  readonly #batches = new Map<string, Batch>();
  readonly #ask: (batch: Batch) => Promise<void>;

  /** @param ask shows a card of it; if it cannot, nobody was asked. */
  constructor(ask: (batch: Batch) => Promise<void>) {
    this.#ask = ask;
  }

  /** @returns what becomes of its card. */
  add(request: ApprovalRequest): Promise<Verdict> {
    return new Promise((settle, fail) => {
      const { keys, remembers, scopes, end } = request;
      const kind = [keys, remembers, scopes, [end ?? ""]].map((all) => all.join(" ")).join("/");
      // References are those of one agent's pipe.
      const key = `${request.turn.turn}/${request.turn.chain.join()}/${request.group}/${kind}/${request.tier}`;
      const gathering = this.#batches.get(key);
      if (gathering !== undefined) {
        gathering.requests.push({ request, settle, fail });
        return;
      }
      const batch: Batch = { requests: [{ request, settle, fail }] };
      this.#batches.set(key, batch);
      setTimeout(() => {
        this.#batches.delete(key);
        this.#ask(batch).catch((cause: unknown) => {
          for (const one of batch.requests) one.fail(cause);
        });
      }, GATHER_MS);
    });
  }
}
