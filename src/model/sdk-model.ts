import type { guardedFetch } from "./http.ts";
import type { LanguageModel } from "./prompt.ts";

type Fetch = ReturnType<typeof guardedFetch>;
type CallOptions = Parameters<LanguageModel["doStream"]>[0];
type Streaming = Awaited<ReturnType<LanguageModel["doStream"]>>;

/** Which request a call of `fetch` belongs to; taken off before anything is sent. */
const ATTEMPT = "x-wirken-attempt";
/** Models of one provider that are kept: an agent has one. */
const MAX_MODELS = 16;

/** One of the AI SDK's models. It is made once, for it makes its schemas anew each time; so it has one `fetch`, which finds that of the request. */
export class SdkModel {
  readonly #model: LanguageModel;
  readonly #attempts = new Map<string, Fetch>();

  /** @param make builds the model on a `fetch`. */
  constructor(make: (fetch: Fetch) => LanguageModel) {
    this.#model = make(async (input, init) => {
      const headers = new Headers(init?.headers);
      const fetch = this.#attempts.get(headers.get(ATTEMPT) ?? "");
      if (fetch === undefined) throw new TypeError("the SDK asks for something that nobody has asked it for");
      headers.delete(ATTEMPT);
      return await fetch(input, { ...init, headers });
    });
  }

  /** @param attempt names this request and no other. @param fetch is good for this request only. */
  async stream(attempt: string, fetch: Fetch, options: CallOptions): Promise<Streaming> {
    this.#attempts.set(attempt, fetch);
    try {
      return await this.#model.doStream({ ...options, headers: { [ATTEMPT]: attempt } });
    } finally {
      this.#attempts.delete(attempt);
    }
  }
}

/** The models of one provider, by their own names. */
export class SdkModels {
  readonly #models = new Map<string, SdkModel>();

  of(model: string, make: (fetch: Fetch) => LanguageModel): SdkModel {
    const known = this.#models.get(model);
    if (known !== undefined) return known;
    const made = new SdkModel(make);
    if (this.#models.size >= MAX_MODELS) this.#models.clear();
    this.#models.set(model, made);
    return made;
  }
}
