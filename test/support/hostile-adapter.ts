import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Order } from "./probes/orders.ts";

/** @see https://datatracker.ietf.org/doc/html/rfc6455#section-1.3 */
const WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Who gives orders to the hostile adapter of test/support/probes/adapter.ts: it stands where Telegram's API would. */
export class Orders implements AsyncDisposable {
  readonly #server: Server;
  #waiting: ServerResponse | null = null;
  #here = Promise.withResolvers<void>();
  #said: unknown = null;
  #answer = Promise.withResolvers<unknown>();
  readonly #offered = new Map<string, Uint8Array>();
  /** Adapters that began, by their process. */
  readonly began: { readonly pid: number; readonly at: number }[] = [];

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.on("upgrade", (request, socket) => {
      const key = `${request.headers["sec-websocket-key"] ?? ""}${WEBSOCKET}`;
      const accept = createHash("sha1").update(key).digest("base64");
      socket.on("error", () => undefined);
      socket.resume();
      socket.end(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
    });
  }

  static async start(): Promise<Orders> {
    const orders = new Orders();
    await new Promise<void>((done, fail) => {
      orders.#server.once("error", fail);
      orders.#server.listen(0, "127.0.0.1", done);
    });
    return orders;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the server does not listen");
    return address.port;
  }
  get apiRoot(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (chunk instanceof Buffer) chunks.push(chunk);
    if (request.url !== "/order") {
      response.end(this.#offered.get(request.url ?? "") ?? "hello");
      return;
    }
    this.#said = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof this.#said === "object" && this.#said !== null && "began" in this.#said && "pid" in this.#said)
      this.began.push({ pid: Number(this.#said.pid), at: performance.now() });
    else this.#answer.resolve(this.#said);
    this.#waiting = response;
    response.on("close", () => {
      if (this.#waiting === response) this.#waiting = null;
    });
    this.#here.resolve();
  }

  /** More bytes than go into an order. @returns the path to fetch them from. */
  offer(bytes: Uint8Array): string {
    const path = `/offered/${this.#offered.size}`;
    this.#offered.set(path, bytes);
    return path;
  }

  /** Resolves when an adapter waits for an order. */
  async here(timeoutMs = 20_000): Promise<void> {
    const until = Date.now() + timeoutMs;
    while (this.#waiting === null) {
      if (Date.now() > until) throw new Error(`no adapter asked for an order within ${timeoutMs} ms`);
      this.#here = Promise.withResolvers<void>();
      await Promise.race([this.#here.promise, new Promise((done) => setTimeout(done, 100))]);
    }
  }

  /** Gives an order. @returns what it says when it has done it. */
  async give(order: Order): Promise<unknown> {
    await this.here();
    this.#answer = Promise.withResolvers<unknown>();
    const response = this.#waiting;
    this.#waiting = null;
    response?.end(JSON.stringify(order));
    return await this.#answer.promise;
  }

  /** Gives an order that ends the adapter: there is no answer. */
  async spend(order: Order): Promise<void> {
    await this.here();
    const response = this.#waiting;
    this.#waiting = null;
    response?.end(JSON.stringify(order));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }
}
