import { createConnection } from "node:net";
import { type FromCommand, ToCommand } from "../../src/ipc/control-frames.ts";
import { PROTOCOL } from "../../src/ipc/frame-common.ts";
import { Name } from "../../src/ipc/ids.ts";
import type { OperatorCall } from "../../src/ipc/operator.ts";
import { Pipe } from "../../src/ipc/pipe.ts";

/** A line to the daemon's control socket that is kept open: what a command costs to start is not measured. */
export class Speaker implements Disposable {
  readonly #pipe: Pipe<ToCommand, FromCommand>;
  readonly #answers = new Map<number, PromiseWithResolvers<void>>();
  /** Calls of which it is to be known when their first text came. */
  readonly #first = new Map<number, (at: number) => void>();
  #ref = 0;

  constructor(path: string, token: Uint8Array) {
    this.#pipe = new Pipe<ToCommand, FromCommand>(createConnection(path), ToCommand, {
      frame: (header) => {
        if (header.type === "event" && header.event.event === "text") {
          this.#first.get(header.ref)?.(performance.now());
          this.#first.delete(header.ref);
        }
        if (header.type === "answer") this.#answers.get(header.ref)?.resolve();
        if (header.type === "refused") this.#answers.get(header.ref)?.reject(new Error(header.failure.sentence));
      },
      end: ({ detail }) => {
        for (const answer of this.#answers.values()) answer.reject(new Error(`the daemon hung up: ${detail}`));
      },
    });
    void this.#pipe.send({ type: "hello", protocol: PROTOCOL, build: "bench" }, token);
  }

  /** Resolves when the daemon has answered. @param first told when the first text of the answer came. */
  async call(call: OperatorCall, payload?: Uint8Array, first?: (at: number) => void): Promise<void> {
    this.#ref += 1;
    const ref = this.#ref;
    const answer = Promise.withResolvers<void>();
    this.#answers.set(ref, answer);
    if (first !== undefined) this.#first.set(ref, first);
    try {
      await this.#pipe.send({ type: "call", ref, call }, payload);
      await answer.promise;
    } finally {
      this.#answers.delete(ref);
      this.#first.delete(ref);
    }
  }

  /** Says something to an agent; resolves when the turn has ended. @param options.first told when the first text of its answer came.
   *  @param options.fresh it begins a new conversation. */
  async say(
    agent: string,
    text: string,
    { first, fresh = false }: { readonly first?: (at: number) => void; readonly fresh?: boolean } = {},
  ): Promise<void> {
    await this.call({ call: "say", agent: Name.parse(agent), fresh }, Buffer.from(text), first);
  }

  [Symbol.dispose](): void {
    this.#pipe.close();
  }
}
