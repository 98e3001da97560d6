import { type AnchorFailure, FromAnchor, type RemoteAnchor, type ToAnchor } from "../ipc/anchor-frames.ts";
import type { Kept, Processes } from "./processes.ts";
import { anchorReach } from "./reach-list.ts";

/** A process that is not up within this time, or does not answer within it, has failed this time. */
const UP_MS = 15_000;
const ANSWER_MS = 20_000;
/** What is taken of an answer, in bytes. */
const MAX_LINES = 8_192;
const MAX_RESPONSE = 65_536;
const MAX_SENTENCE = 500;

/** What an anchor answered. The supervisor has read none of the bytes yet. */
export type AnchorAnswer =
  | { readonly state: "cosigned"; readonly lines: string }
  | { readonly state: "holds"; readonly size: number }
  | { readonly state: "stamped"; readonly time: string; readonly response: Uint8Array }
  | { readonly state: "failed"; readonly reason: AnchorFailure; readonly sentence: string };

/** Distributes over the questions, which `Omit` of the union would not. */
type Question = ToAnchor extends infer F ? (F extends { ref: number } ? Omit<F, "ref"> : never) : never;

/** The process `anchor <name>`: it speaks to one witness or authority, and to nobody else. */
export class AnchorProcess {
  readonly #kept: Kept<ToAnchor>;
  readonly #waiting = new Map<number, (answer: AnchorAnswer) => void>();
  #ref = 0;

  constructor(
    processes: Processes,
    anchor: { readonly name: string; readonly type: RemoteAnchor; readonly url: string; readonly cause: number | null },
  ) {
    const { name, type, url, cause } = anchor;
    this.#kept = processes.keep<FromAnchor, ToAnchor>({
      role: "anchor",
      args: [],
      subject: name,
      accepts: FromAnchor,
      stop: { type: "stop" },
      // It gets none.
      secret: () => ({ type: "stop" }),
      secrets: () => [],
      cause,
      reach: () => anchorReach(name, url),
      started: (child) => child.send({ type: "start", anchor: type, url }),
      hear: (header, payload) => this.#hear(header, payload),
      down: () => this.#down("its process ended unexpectedly"),
    });
  }

  #hear(header: FromAnchor, payload: Uint8Array): void {
    if (header.type === "ready") return;
    const settle = this.#waiting.get(header.ref);
    if (settle === undefined) {
      this.#kept.broke("answered what was not asked");
      return;
    }
    this.#waiting.delete(header.ref);
    settle(answerOf(header, payload));
  }

  #down(sentence: string): void {
    for (const settle of this.#waiting.values()) settle({ state: "failed", reason: "unreachable", sentence });
    this.#waiting.clear();
  }

  /** Asks a witness to cosign. It never throws for what the process does. */
  async submit(old: number, proof: readonly string[], note: string): Promise<AnchorAnswer> {
    return await this.#ask({ type: "submit", old, proof: [...proof] }, note);
  }

  /** Asks an authority for a timestamp. */
  async stamp(note: string): Promise<AnchorAnswer> {
    return await this.#ask({ type: "stamp" }, note);
  }

  async #ask(question: Question, note: string): Promise<AnchorAnswer> {
    try {
      await this.#kept.whenReady(UP_MS);
    } catch {
      return failed("unreachable", "its process does not start");
    }
    this.#ref += 1;
    const ref = this.#ref;
    const answered = Promise.withResolvers<AnchorAnswer>();
    this.#waiting.set(ref, answered.resolve);
    const late = setTimeout(
      () => answered.resolve(failed("unreachable", `it did not answer within ${ANSWER_MS / 1000} s`)),
      ANSWER_MS,
    );
    this.#kept
      .send({ ...question, ref }, Buffer.from(note))
      .catch(() => answered.resolve(failed("unreachable", "its process ended")));
    try {
      return await answered.promise;
    } finally {
      clearTimeout(late);
    }
  }

  async stop(): Promise<void> {
    await this.#kept.stop();
    this.#down("it is stopped");
  }
}

function failed(reason: AnchorFailure, sentence: string): AnchorAnswer {
  return { state: "failed", reason, sentence };
}

function answerOf(header: Exclude<FromAnchor, { type: "ready" }>, payload: Uint8Array): AnchorAnswer {
  switch (header.type) {
    case "cosigned":
      return payload.length > MAX_LINES
        ? failed("bad-answer", "it answered with too much")
        : { state: "cosigned", lines: Buffer.from(payload).toString("utf8") };
    case "holds":
      return { state: "holds", size: header.size };
    case "stamped":
      return payload.length > MAX_RESPONSE
        ? failed("bad-answer", "it answered with too much")
        : { state: "stamped", time: header.time, response: payload };
    case "failed":
      return {
        state: "failed",
        reason: header.reason,
        sentence: Buffer.from(payload).toString("utf8").slice(0, MAX_SENTENCE),
      };
  }
}
