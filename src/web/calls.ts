import type { FromWeb, ToWeb } from "../ipc/web-frames.ts";
import type { OperatorCall, OperatorEvent, OperatorFailure } from "../ipc/operator.ts";

/** Questions that wait for the supervisor at once, event streams included. */
const MAX_WAITING = 256;

export type Outcome =
  | { state: "answer"; json: Uint8Array }
  | { state: "refused"; failure: OperatorFailure }
  | { state: "unauthenticated" };
export type LoginOutcome =
  | { state: "done"; secret: string; seconds: number }
  | { state: "bad-token" | "locked"; seconds: number }
  | { state: "refused"; failure: OperatorFailure };

interface Waiting {
  event?(event: OperatorEvent, payload: Uint8Array): void;
  /** Set for a login only. */
  login?(outcome: LoginOutcome): void;
  done(outcome: Outcome): void;
}

export interface Ask {
  /** Resolves with what became of it. */
  readonly outcome: Promise<Outcome>;
  /** Nobody listens any more. */
  cancel(): void;
}

/** The web process's side of its pipe: pairs each question with its answer. It decides nothing. */
export class Calls {
  readonly #send: (frame: FromWeb, payload?: Uint8Array) => void;
  readonly #waiting = new Map<number, Waiting>();
  #lastRef = 0;

  constructor(send: (frame: FromWeb, payload?: Uint8Array) => void) {
    this.#send = send;
  }

  login(token: string): Promise<LoginOutcome> {
    return new Promise((resolve) => {
      const ref = this.#wait({
        login: resolve,
        done(outcome) {
          if (outcome.state === "refused") resolve(outcome);
        },
      });
      if (ref !== null) this.#send({ type: "login", ref }, Buffer.from(token));
    });
  }

  logout(session: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const ref = this.#wait({ done: resolve });
      if (ref !== null) this.#send({ type: "logout", ref, session });
    });
  }

  /** A browser came back from logging in elsewhere. @param query what it came back with. */
  back(id: string, query: Uint8Array): Promise<Outcome> {
    return new Promise((resolve) => {
      const ref = this.#wait({ done: resolve });
      if (ref !== null) this.#send({ type: "back", ref, id }, query);
    });
  }

  /** @param session digest of the browser's secret. @param event is given what happens meanwhile. */
  call(
    session: string,
    call: OperatorCall,
    payload?: Uint8Array,
    event?: (event: OperatorEvent, payload: Uint8Array) => void,
  ): Ask {
    let ref: number | null = null;
    const outcome = new Promise<Outcome>((resolve) => {
      ref = this.#wait({ done: resolve, ...(event === undefined ? {} : { event }) });
      if (ref !== null) this.#send({ type: "call", ref, session, call }, payload);
    });
    const cancel = () => {
      if (ref !== null && this.#waiting.delete(ref)) this.#send({ type: "cancel", ref });
    };
    return { outcome, cancel };
  }

  /** What the supervisor said. An answer to what was cancelled is late, and dropped. */
  hear(frame: Extract<ToWeb, { ref: number }>, payload: Uint8Array): void {
    const waiting = this.#waiting.get(frame.ref);
    if (waiting === undefined) return;
    if (frame.type === "event") {
      waiting.event?.(frame.event, payload);
      return;
    }
    this.#waiting.delete(frame.ref);
    switch (frame.type) {
      case "login.done":
        waiting.login?.({ state: "done", secret: Buffer.from(payload).toString("latin1"), seconds: frame.seconds });
        return;
      case "login.refused":
        waiting.login?.({ state: frame.reason, seconds: frame.seconds });
        return;
      case "answer":
        waiting.done({ state: "answer", json: payload });
        return;
      case "refused":
        waiting.done({ state: "refused", failure: frame.failure });
        return;
      case "unauthenticated":
        waiting.done({ state: "unauthenticated" });
        return;
    }
  }

  #wait(waiting: Waiting): number | null {
    if (this.#waiting.size >= MAX_WAITING) {
      const sentence = `${MAX_WAITING} questions of this page are waiting already`;
      waiting.done({
        state: "refused",
        failure: { code: "not-ready", sentence, hint: "close other tabs of this page" },
      });
      return null;
    }
    const ref = ++this.#lastRef;
    this.#waiting.set(ref, waiting);
    return ref;
  }
}
