import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request } from "node:http";
import { connect } from "node:net";

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string | Uint8Array;
}

/** One request with exactly these headers; a browser would not let a test choose them. */
export function askHttp(
  origin: string,
  path: string,
  { method = "GET", headers = {}, body }: Asked = {},
): Promise<Answered> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const own = Object.entries(headers).map(
      ([name, value]) => [name, typeof value === "string" ? value : [...value]] as const,
    );
    const asked = request(
      { hostname, port, path, method, agent: false, headers: Object.fromEntries(own) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString(),
          }),
        );
        response.on("error", reject);
      },
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

/** Sends bytes and reads until the other side closes. @returns what was read; what came before a reset, if there was one. */
export function sendRaw(origin: string, bytes: string | Uint8Array, giveUpMs = 15_000): Promise<string> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve) => {
    let heard = "";
    const socket = connect(Number(port), hostname);
    const timer = setTimeout(() => socket.destroy(), giveUpMs);
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      heard += text;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(heard);
    });
    socket.write(bytes);
  });
}

/** A logged-in client without a browser: what the page does, by hand. */
export class WebClient {
  readonly origin: string;
  readonly cookie: string;
  readonly key: string;

  constructor(origin: string, cookie: string, key: string) {
    this.origin = origin;
    this.cookie = cookie;
    this.key = key;
  }

  /** @param link `http://127.0.0.1:port/#login=<token>` @throws if it does not log in. */
  static async logIn(link: string): Promise<WebClient> {
    const { origin, hash } = new URL(link);
    const answered = await askHttp(origin, "/api/login", {
      method: "POST",
      headers: { origin, "content-type": "application/json" },
      body: JSON.stringify({ token: hash.slice("#login=".length) }),
    });
    const [cookie = ""] = answered.headers["set-cookie"] ?? [];
    const answer: unknown = JSON.parse(answered.body);
    if (answered.status !== 200 || typeof answer !== "object" || answer === null || !("key" in answer))
      throw new Error(`not logged in: ${answered.status} ${answered.body}`);
    return new WebClient(origin, cookie.split(";", 1)[0] ?? "", String(answer.key));
  }

  get headers(): Record<string, string> {
    return { origin: this.origin, cookie: this.cookie, "wirken-key": this.key };
  }

  async call(call: object, text?: string): Promise<Answered> {
    return await askHttp(this.origin, "/api/call", {
      method: "POST",
      headers: { ...this.headers, "content-type": "application/json" },
      body: JSON.stringify(text === undefined ? { call } : { call, text }),
    });
  }

  async events(): Promise<EventReader> {
    return await EventReader.open(this.origin, this.headers);
  }
}

/** The event stream: each `data:` as it comes. */
export class EventReader {
  readonly #asked: ClientRequest;
  readonly #queue: unknown[] = [];
  #over = false;
  #wake: (() => void) | null = null;

  private constructor(asked: ClientRequest) {
    this.#asked = asked;
  }

  static async open(origin: string, headers: Record<string, string>): Promise<EventReader> {
    const { hostname, port } = new URL(origin);
    const asked = request({ hostname, port, path: "/api/events", agent: false, headers });
    const reader = new EventReader(asked);
    const status = await new Promise<number>((resolve, reject) => {
      asked.on("error", reject);
      asked.on("response", (response) => {
        reader.#read(response);
        resolve(response.statusCode ?? 0);
      });
      asked.end();
    });
    if (status !== 200) throw new Error(`the event stream was refused: ${status}`);
    return reader;
  }

  /** @returns the next message, or null when the stream has ended. */
  async next(): Promise<unknown> {
    if (this.#queue.length === 0 && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#queue.shift() ?? null;
  }

  close(): void {
    this.#asked.destroy();
  }

  #read(response: IncomingMessage): void {
    let rest = "";
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      const data = lines.filter((line) => line.startsWith("data: "));
      this.#queue.push(...data.map((line): unknown => JSON.parse(line.slice("data: ".length))));
      if (data.length > 0) this.#wake?.();
    });
    for (const end of ["end", "error"]) response.on(end, () => this.#end());
  }

  #end(): void {
    this.#over = true;
    this.#wake?.();
  }
}
