import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { vi } from "vitest";
import type { Order } from "./probes/orders.ts";

/** @see https://datatracker.ietf.org/doc/html/rfc6455#section-1.3 */
const WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/** Who gives orders to the hostile adapter of test/support/probes/adapter.ts: it stands where Telegram's API would. */
export class Orders implements AsyncDisposable {
  readonly #server: Server;
  #waiting: ServerResponse | null = null;
  #here = Promise.withResolvers<void>();
  #said: unknown = null;
  /** Of an order that is being carried out. */
  #answer: PromiseWithResolvers<unknown> | null = null;
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
    // An adapter that was busy must not come back to a connection that was closed meanwhile.
    response.shouldKeepAlive = false;
    if (request.url !== "/order") {
      response.end("hello");
      return;
    }
    this.#said = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    if (typeof this.#said === "object" && this.#said !== null && "began" in this.#said && "pid" in this.#said) {
      this.began.push({ pid: Number(this.#said.pid), at: performance.now() });
      this.#answer?.reject(new Error("the adapter ended before it had done what it was told to, and began anew"));
    } else this.#answer?.resolve(this.#said);
    this.#answer = null;
    this.#waiting = response;
    response.on("close", () => {
      if (this.#waiting === response) this.#waiting = null;
    });
    this.#here.resolve();
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

  /** Resolves when no adapter waits any more: egress ends the connection of one that is gone a moment later. */
  async left(): Promise<void> {
    await vi.waitFor(
      () => {
        if (this.#waiting !== null) throw new Error("an adapter that is gone still waits for an order");
      },
      { timeout: 20_000 },
    );
  }

  /** Gives an order. @returns what it says when it has done it. */
  async give(order: Order): Promise<unknown> {
    await this.here();
    const answer = Promise.withResolvers<unknown>();
    this.#answer = answer;
    const response = this.#waiting;
    this.#waiting = null;
    response?.end(JSON.stringify(order));
    return await answer.promise;
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
