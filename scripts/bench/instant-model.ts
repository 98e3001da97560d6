import { createServer, type Server } from "node:http";

/** An OpenAI-compatible server that answers at once, and says how long it held each request. */
export class InstantModel implements AsyncDisposable {
  readonly #server: Server;
  readonly baseUrl: string;
  /** Milliseconds between the end of each request and the end of its answer, and its size in bytes. */
  readonly held: { ms: number; bytes: number }[] = [];
  /** When it said the first token of an answer, by the mark in the message that it answers, such as `#17#`. */
  readonly first = new Map<string, number>();
  /** Milliseconds that it takes between its first token and the rest; null: it says all at once, and reads no marks. */
  pause: number | null = null;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.baseUrl = `http://127.0.0.1:${port}/v1`;
  }

  static async start(): Promise<InstantModel> {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the instant model has no port");
    const model = new InstantModel(server, address.port);
    server.on("request", (request, response) => {
      let bytes = 0;
      const body: Buffer[] = [];
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        if (model.pause !== null) body.push(chunk);
      });
      request.on("end", () => {
        const begun = performance.now();
        if (request.method === "GET") {
          response
            .setHeader("content-type", "application/json")
            .end('{"object":"list","data":[{"id":"instant","object":"model"}]}');
          return;
        }
        response.setHeader("content-type", "text/event-stream");
        const usage = `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "instant", choices: [], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } })}\n\n`;
        if (model.pause !== null) {
          const mark = Buffer.concat(body).toString("utf8").match(/#\d+#/g)?.at(-1) ?? "";
          response.write(piece({ role: "assistant", content: "First " }, null), () =>
            model.first.set(mark, performance.now()),
          );
        }
        const rest = (): unknown =>
          response.end(
            `${piece({ role: "assistant", content: "Done." }, null)}${piece({}, "stop")}${usage}data: [DONE]\n\n`,
            () => {
              model.held.push({ ms: performance.now() - begun, bytes });
            },
          );
        if (model.pause === null) rest();
        else setTimeout(rest, model.pause);
      });
    });
    return model;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

/** One event of an answer as it streams. */
function piece(delta: object, finish: string | null): string {
  const choices = [{ index: 0, delta, finish_reason: finish }];
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: "instant", choices })}\n\n`;
}
