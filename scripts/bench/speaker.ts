import { createConnection } from "node:net";
import { type FromCommand, ToCommand } from "../../src/ipc/control-frames.ts";
import { PROTOCOL } from "../../src/ipc/frame-common.ts";
import type { OperatorCall } from "../../src/ipc/operator.ts";
import { Pipe } from "../../src/ipc/pipe.ts";

/** A line to the daemon's control socket that is kept open: what a command costs to start is not measured. */
export class Speaker implements Disposable {
  readonly #pipe: Pipe<ToCommand, FromCommand>;
  readonly #answers = new Map<number, PromiseWithResolvers<void>>();
  #ref = 0;

  constructor(path: string, token: Uint8Array) {
    this.#pipe = new Pipe<ToCommand, FromCommand>(createConnection(path), ToCommand, {
      frame: (header) => {
        if (header.type === "answer") this.#answers.get(header.ref)?.resolve();
        if (header.type === "refused") this.#answers.get(header.ref)?.reject(new Error(header.failure.sentence));
      },
      end: ({ detail }) => {
        for (const answer of this.#answers.values()) answer.reject(new Error(`the daemon hung up: ${detail}`));
      },
    });
    void this.#pipe.send({ type: "hello", protocol: PROTOCOL, build: "bench" }, token);
  }

  /** Resolves when the daemon has answered. */
  async call(call: OperatorCall, payload?: Uint8Array): Promise<void> {
    this.#ref += 1;
    const answer = Promise.withResolvers<void>();
    this.#answers.set(this.#ref, answer);
    await this.#pipe.send({ type: "call", ref: this.#ref, call }, payload);
    await answer.promise;
  }

  /** Says something to an agent; resolves when the turn has ended. */
  async say(agent: string, text: string): Promise<void> {
    await this.call({ call: "say", agent, fresh: false }, Buffer.from(text));
  }

  [Symbol.dispose](): void {
    this.#pipe.close();
  }
}
