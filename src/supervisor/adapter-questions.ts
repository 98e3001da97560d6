import type { FromAdapter, ToAdapter } from "../ipc/adapter-frames.ts";

type Question = Extract<ToAdapter, { type: "get-file" | "open-direct" | "look-up" }>;
type Answer = Extract<FromAdapter, { type: "file" | "file.failed" | "direct" | "looked-up" }>;
type Send = (header: ToAdapter) => Promise<void>;
type Without<T> = T extends unknown ? Omit<T, "ref"> : never;

/** What answers what. */
const ANSWERS: Readonly<Record<Question["type"], readonly Answer["type"][]>> = {
  "get-file": ["file", "file.failed"],
  "open-direct": ["direct"],
  "look-up": ["looked-up"],
};
/** The platform is asked, rate limits included. */
const ANSWER_MS = 2 * 60_000;
/** A question that waits for an answer; the next one is answered with nothing. */
const MAX_WAITING = 256;

export interface Answered {
  readonly header: Answer;
  readonly payload: Uint8Array;
}

export function isAnswer(header: FromAdapter): header is Answer {
  return Object.values(ANSWERS).some((types) => types.some((type) => type === header.type));
}

/** What an adapter is asked and answers: a file, a way to somebody, what became of a message. */
export class AdapterQuestions {
  readonly #waiting = new Map<
    number,
    { readonly type: Question["type"]; readonly settle: (answer: Answered | null) => void }
  >();
  /** Those that nobody waits for any more: their answers may still come. */
  readonly #late = new Set<number>();
  #send: Send | null = null;
  #ref = 0;

  attach(send: Send): void {
    this.#send = send;
  }

  /** It died: nothing of what it was asked is answered any more. */
  detach(): void {
    this.#send = null;
    for (const { settle } of this.#waiting.values()) settle(null);
    this.#waiting.clear();
    this.#late.clear();
  }

  /** @returns null: nobody is there to be asked, it died, or it did not answer in time. */
  async ask(question: Without<Question>): Promise<Answered | null> {
    const send = this.#send;
    if (send === null || this.#waiting.size >= MAX_WAITING) return null;
    this.#ref += 1;
    const ref = this.#ref;
    const { promise, resolve } = Promise.withResolvers<Answered | null>();
    const late = setTimeout(() => {
      this.#waiting.delete(ref);
      this.#late.add(ref);
      const [oldest] = this.#late;
      if (this.#late.size > MAX_WAITING && oldest !== undefined) this.#late.delete(oldest);
      resolve(null);
    }, ANSWER_MS);
    this.#waiting.set(ref, { type: question.type, settle: resolve });
    void send({ ...question, ref });
    const answer = await promise;
    clearTimeout(late);
    return answer;
  }

  /** @returns false where nothing like that was asked: the adapter breaks the protocol. */
  settle(header: Answer, payload: Uint8Array): boolean {
    if (this.#late.delete(header.ref)) return true;
    const asked = this.#waiting.get(header.ref);
    if (asked === undefined || !ANSWERS[asked.type].includes(header.type)) return false;
    this.#waiting.delete(header.ref);
    asked.settle({ header, payload });
    return true;
  }
}
