import { BUILD } from "../ipc/build.ts";
import { PROTOCOL, type Ref } from "../ipc/frame-common.ts";
import { type CompletionFailure, type FromModel, ToModel } from "../ipc/model-frames.ts";
import { ownPipe, type Pipe } from "../ipc/pipe.ts";
import { type Conversation, Conversations } from "./conversations.ts";
import { Deltas } from "./deltas.ts";
import { ApiKey } from "./key.ts";
import { ModelError, modelErrorIn } from "./model-error.ts";
import { openProvider } from "./open.ts";
import type { ModelProvider, Shown } from "./port.ts";
import { tryOut } from "./trial.ts";

type Start = Extract<ToModel, { type: "start" }>;
type Complete = Extract<ToModel, { type: "complete" }>;
type CheckFailure = NonNullable<Extract<FromModel, { type: "checked" }>["failure"]>;

/** The name of the one secret that this process is given. */
const KEY_NAME = "api-key";
/** Of a check, and of a list of models. */
const CALL_MS = 15_000;
/** After `stop`, what runs may finish this long; then it is cancelled. The supervisor kills after 5 s. */
const DRAIN_MS = 3_500;
/** Of a model's id, in characters: a key that was taken out of it may have made it longer. */
const MAX_MODEL = 200;
/** Of the sentence that goes with a failure, in characters. */
const MAX_SENTENCE = 1000;

/** One provider's process: answers completions, lists models, checks its key, and says nothing to anybody else. */
export class ModelProcess {
  readonly #pipe: Pipe<ToModel, FromModel>;
  /** What is being answered, and with which key. */
  readonly #running = new Map<Ref, { readonly controller: AbortController; readonly key: ApiKey | null }>();
  readonly #conversations = new Conversations();
  /** Conversations to be forgotten as soon as they are no longer answered. */
  readonly #forgetting = new Set<number>();
  #key: ApiKey | null = null;
  #started: { start: Start; provider: Promise<ModelProvider> } | null = null;
  #idle: (() => void) | null = null;
  #stopping = false;

  constructor() {
    this.#pipe = ownPipe<ToModel, FromModel>(ToModel, {
      frame: (frame, payload) => this.#hear(frame, payload),
      // ownPipe ends this process next.
      end: () => {
        for (const key of this.#keys()) key[Symbol.dispose]();
      },
    });
  }

  run(): void {
    void this.#send({ type: "ready", protocol: PROTOCOL, build: BUILD });
  }

  #hear(frame: ToModel, payload: Uint8Array): void {
    switch (frame.type) {
      case "secret":
        if (frame.name !== KEY_NAME || this.#started?.start.check === true)
          throw new TypeError("this process takes one key, and none while it checks one");
        this.#replaceKey(ApiKey.take(payload));
        break;
      case "start": {
        if (this.#started !== null) throw new TypeError("this process is started once");
        const provider = this.#open(frame);
        if (frame.check) void this.#check(frame, provider);
        break;
      }
      case "file":
        this.#conversations.bring(frame.conversation, frame.sha256, payload);
        break;
      case "complete":
        void this.#complete(frame, payload);
        break;
      case "models":
        void this.#models(frame.ref);
        break;
      case "attest":
        void this.#attest(frame.ref);
        break;
      case "try":
        void this.#try(frame.ref, frame.model);
        break;
      case "cancel":
        this.#running.get(frame.ref)?.controller.abort(new ModelError("cancelled", "the answer was stopped"));
        break;
      case "forget":
        if (this.#conversations.forget(frame.conversation))
          void this.#send({ type: "forgot", conversation: frame.conversation });
        else this.#forgetting.add(frame.conversation);
        break;
      case "stop":
        void this.#stop();
        break;
    }
  }

  #open(start: Start): Promise<ModelProvider> {
    const provider = openProvider(start.provider, start.api, start.baseUrl, this.#key);
    provider.catch(() => undefined);
    this.#started = { start, provider };
    return provider;
  }

  /** The next request goes out with this key. One before is wiped when nothing is answered with it any more. */
  #replaceKey(key: ApiKey): void {
    const former = this.#key;
    this.#key = key;
    this.#wipe(former);
    if (this.#started !== null) void this.#open(this.#started.start);
  }

  #wipe(key: ApiKey | null): void {
    if (key === null || key === this.#key) return;
    if ([...this.#running.values()].every((one) => one.key !== key)) key[Symbol.dispose]();
  }

  /** Those that an answer may quote. */
  #keys(): Set<ApiKey> {
    return new Set([this.#key, ...[...this.#running.values()].map(({ key }) => key)].filter((key) => key !== null));
  }

  async #complete(frame: Complete, payload: Uint8Array): Promise<void> {
    const { ref, conversation: number } = frame;
    const deltas = new Deltas((text) => this.#send({ type: "delta", ref }, bytesOf(text)));
    const controller = new AbortController();
    const key = this.#key;
    this.#running.set(ref, { controller, key });
    let conversation: Conversation | null = null;
    try {
      // Before anything is waited for: what was told is in the order in which it came.
      conversation = this.#take(frame, payload);
      if (conversation === null) {
        await this.#send({ type: "resend", ref });
        return;
      }
      const provider = await this.#provider();
      const done = await provider.complete(conversation, frame, (text) => deltas.add(text), controller.signal);
      await deltas.end();
      const { answer, ...facts } = done;
      const model = this.#clean(facts.model).slice(0, MAX_MODEL);
      await this.#send({ type: "completed", ref, ...facts, model }, bytesOf(JSON.stringify(answer)));
    } catch (error) {
      await deltas.end().catch(() => undefined);
      await this.#failed(ref, error, deltas.streamed);
    } finally {
      if (conversation !== null) this.#conversations.release(number, conversation);
      if (this.#forgetting.delete(number)) void this.#send({ type: "forgot", conversation: number });
      this.#over(ref, key);
    }
  }

  async #failed(ref: Ref, error: unknown, streamed: boolean): Promise<void> {
    const failure = this.#failure(error);
    const retryAfterSeconds = failure.retryAfterMs === null ? null : Math.ceil(failure.retryAfterMs / 1000);
    await this.#send({ type: "failed", ref, code: failure.code, retryAfterSeconds, streamed }, sentenceOf(failure));
  }

  #over(ref: Ref, key: ApiKey | null): void {
    this.#running.delete(ref);
    this.#wipe(key);
    if (this.#running.size === 0) this.#idle?.();
  }

  #take({ conversation, keep, root, show }: Complete, payload: Uint8Array): Conversation | null {
    try {
      return this.#conversations.take(conversation, keep, root, payload, show);
    } catch (error) {
      throw new ModelError("bad-request", "the agent's request is not of the agreed form", { cause: error });
    }
  }

  async #models(ref: Ref): Promise<void> {
    try {
      const list = await (await this.#provider()).models(within(CALL_MS, this.#name));
      await this.#send({ type: "models", ref, failure: null }, bytesOf(this.#clean(JSON.stringify(list))));
    } catch (error) {
      const failure = this.#failure(error);
      await this.#send({ type: "models", ref, failure: CHECK_FAILURE[failure.code] }, sentenceOf(failure));
    }
  }

  async #attest(ref: Ref): Promise<void> {
    const shown = await this.#shown().catch((error: unknown) => ({
      result: "unreachable" as const,
      evidence: this.#failure(error).message,
    }));
    await this.#send(
      { type: "attested", ref, result: shown.result },
      bytesOf(this.#clean(shown.evidence).slice(0, MAX_SENTENCE)),
    );
  }

  async #shown(): Promise<Shown> {
    const provider = await this.#provider();
    const shown = await provider.attest?.(new AbortController().signal);
    return shown ?? { result: "refused", evidence: `${this.#name} shows nothing of what it is` };
  }

  async #try(ref: Ref, asked: string): Promise<void> {
    const controller = new AbortController();
    const key = this.#key;
    this.#running.set(ref, { controller, key });
    try {
      const { why, whyImages, ...seen } = await tryOut(await this.#provider(), asked, controller.signal);
      const model = this.#clean(seen.model).slice(0, MAX_MODEL);
      const whys = [why, whyImages].map((one) =>
        this.#clean(one ?? "")
          .replaceAll("\n", " ")
          .slice(0, MAX_SENTENCE),
      );
      await this.#send({ type: "tried", ref, ...seen, model }, bytesOf(whys.join("\n")));
    } catch (error) {
      await this.#failed(ref, error, false);
    } finally {
      this.#over(ref, key);
    }
  }

  /** Answers `checked` and ends this process. */
  async #check(start: Start, provider: Promise<ModelProvider>): Promise<void> {
    try {
      const { account } = await (await provider).check(within(CALL_MS, start.provider));
      await this.#send({ type: "checked", failure: null, account: account === null ? null : this.#clean(account) });
    } catch (error) {
      const failure = this.#failure(error);
      const other = failure.code === "key-refused" ? (this.#key?.belongsElsewhere(start.provider) ?? null) : null;
      if (other === null)
        await this.#send({ type: "checked", failure: CHECK_FAILURE[failure.code], account: null }, sentenceOf(failure));
      else
        await this.#send(
          { type: "checked", failure: "mixed-up", account: null },
          bytesOf(
            `this looks like a key of ${other}, not of ${start.provider}: did you mean \`wirken vault add ${other}\`?`,
          ),
        );
    }
    this.#pipe.close();
  }

  async #stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    if (this.#running.size > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      const timer = setTimeout(() => {
        for (const { controller } of this.#running.values())
          controller.abort(new ModelError("cancelled", "the answer was cut off: Wirken is stopping"));
      }, DRAIN_MS);
      await idle;
      clearTimeout(timer);
    }
    this.#pipe.close();
  }

  #provider(): Promise<ModelProvider> {
    if (this.#stopping) throw new ModelError("cancelled", "Wirken is stopping");
    if (this.#started === null) throw new ModelError("other", "the model process was not started");
    return this.#started.provider;
  }

  /** What goes on the log as the provider wrote it: it may quote the key that it was shown. */
  #clean(words: string): string {
    let clean = words;
    for (const key of this.#keys()) clean = key.remove(clean);
    return clean;
  }

  get #name(): string {
    return this.#started?.start.provider ?? "the provider";
  }

  #failure(error: unknown): ModelError {
    const known = modelErrorIn(error);
    // A fault of ours: its kind helps to find it, its message might quote a header.
    const kind = error instanceof Error ? error.name : typeof error;
    return (
      known ??
      new ModelError("other", `the model process failed on a request to ${this.#name} (${kind})`, { cause: error })
    );
  }

  /** A pipe that is over ends this process: nothing that was still to be said is missed by anybody. */
  #send(frame: FromModel, payload?: Uint8Array): Promise<void> {
    return this.#pipe.send(frame, payload).catch(() => undefined);
  }
}

/** What a check is told. A provider that is busy has accepted the key as little as refused it. */
const CHECK_FAILURE: Readonly<Record<CompletionFailure, CheckFailure>> = {
  "key-refused": "refused",
  unreachable: "unreachable",
  timeout: "unreachable",
  "model-unknown": "other",
  "rate-limited": "other",
  overloaded: "other",
  failing: "other",
  "bad-request": "other",
  "files-refused": "other",
  "too-long": "other",
  cancelled: "other",
  died: "other",
  refused: "other",
  other: "other",
};

function within(ms: number, provider: string): AbortSignal {
  const controller = new AbortController();
  setTimeout(
    () => controller.abort(new ModelError("timeout", `${provider} did not answer within ${Math.round(ms / 1000)} s`)),
    ms,
  ).unref();
  return controller.signal;
}

function sentenceOf({ message }: ModelError): Uint8Array {
  return bytesOf(message.slice(0, MAX_SENTENCE));
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
