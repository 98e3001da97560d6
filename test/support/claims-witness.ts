import { createServer, type IncomingMessage, request as send, type Server, type ServerResponse } from "node:http";

/** Sees the path of a request, and the port that its client has on loopback. */
type Look = (path: string, from: number) => void;

/** Stands before a server, and looks at something at the very instant at which a request arrives, before it is passed on. */
export class Witness implements AsyncDisposable {
  readonly #server: Server;
  readonly #to: string;
  readonly #look: Look;

  private constructor(to: string, look: Look) {
    this.#to = to;
    this.#look = look;
    this.#server = createServer((request, response) => this.#pass(request, response));
  }

  /** @param to the server's address, without a path. */
  static async before(to: string, look: Look): Promise<Witness> {
    const witness = new Witness(to, look);
    await new Promise<void>((resolve) => witness.#server.listen(0, "127.0.0.1", resolve));
    return witness;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the witness does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "/";
    this.#look(path, request.socket.remotePort ?? 0);
    const { method = "GET", headers } = request;
    const onward = send(new URL(path, this.#to), { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
