import { createServer } from "node:http";
import { once } from "node:events";

/** What a platform does with links that it may show a preview of: it fetches them. A canary tells whether somebody did. */

const ADDRESS = /https?:\/\/[^\s<>"|)\\]+/g;

export class Unfurler {
  /** Addresses that were fetched. */
  readonly fetched: string[] = [];
  readonly #under = new Set<Promise<void>>();

  /** Fetches every address in a text. */
  look(text: string): void {
    for (const [address] of text.matchAll(ADDRESS)) {
      const fetching = this.#fetch(address);
      this.#under.add(fetching);
      void fetching.finally(() => this.#under.delete(fetching));
    }
  }

  async #fetch(address: string): Promise<void> {
    this.fetched.push(address);
    // Nobody may be there: an unfurler does not mind.
    await fetch(address, { signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#under);
  }
}

/** A page that knows who asked for it. */
export class Canary implements AsyncDisposable {
  readonly visits: string[] = [];
  readonly #server = createServer((request, response) => {
    this.visits.push(request.url ?? "");
    response.end("<title>canary</title>");
  });

  static async start(): Promise<Canary> {
    const canary = new Canary();
    canary.#server.listen(0, "127.0.0.1");
    await once(canary.#server, "listening");
    return canary;
  }

  get url(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("it does not listen");
    return `http://127.0.0.1:${address.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}
