import { type ChatCompletionRequest, LLMock } from "@copilotkit/aimock";

/** What the model says next: text, or calls of tools. */
export type Said =
  | { readonly text: string /** It says so not before this is settled. */; readonly after?: Promise<void> }
  | { readonly calls: readonly { readonly name: string; readonly arguments: object | string }[] };

/** A model server (aimock: OpenAI's and Anthropic's API) whose answers a test writes beforehand, by the words that they answer. */
export class ScriptedModel implements AsyncDisposable {
  readonly server: LLMock;
  readonly #scripts: { readonly words: string; readonly steps: readonly Said[] }[] = [];
  #calls = 0;
  /** Requests that it has begun to answer. */
  begun = 0;

  private constructor(server: LLMock) {
    this.server = server;
  }

  /** @param keys that it takes; any (or none) where not given. */
  static async start(keys?: readonly string[]): Promise<ScriptedModel> {
    const server = new LLMock({
      port: 0,
      ...(keys === undefined ? {} : { auth: { apiKeys: [...keys] } }),
    });
    const model = new ScriptedModel(server);
    server.on({ predicate: () => true }, (request) => model.#answer(request));
    await server.start();
    return model;
  }

  get baseUrl(): string {
    return `${this.server.url}/v1`;
  }

  /** Requests for a completion that it got. */
  get requests(): number {
    return this.server.getRequests().filter(({ path }) => /completions|messages/.test(path)).length;
  }
  /** Everything that it was ever sent, as text. */
  get heard(): string {
    return JSON.stringify(this.server.getRequests().map(({ body }) => body));
  }

  /** To a message that holds these words it says one step after the other, the next one after each round of results. The newest script counts. */
  script(words: string, ...steps: readonly Said[]): void {
    this.#scripts.unshift({ words, steps });
  }

  async #answer({ messages }: ChatCompletionRequest): Promise<ReturnType<typeof asResponse>> {
    const at = messages.findLastIndex(({ role }) => role === "user");
    const asked = textOf(messages[at]?.content);
    const round = messages.slice(at + 1).filter(({ role }) => role === "assistant").length;
    const script = this.#scripts.find(({ words }) => asked.includes(words));
    const said = script?.steps[round] ?? { text: `you said: ${asked}` };
    this.begun += 1;
    if ("after" in said) await said.after;
    return asResponse(said, () => {
      this.#calls += 1;
      return `call_${this.#calls}`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

function asResponse(said: Said, id: () => string) {
  if ("text" in said) return { content: said.text };
  return {
    toolCalls: said.calls.map(({ name, arguments: given }) => ({
      id: id(),
      name,
      arguments: typeof given === "string" ? given : JSON.stringify(given),
    })),
  };
}

function textOf(content: ChatCompletionRequest["messages"][number]["content"] | undefined): string {
  if (typeof content === "string") return content;
  return (content ?? []).map(({ text = "" }) => text).join("");
}
