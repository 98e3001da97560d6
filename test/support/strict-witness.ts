import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { signedBy, TestWitnessKey } from "./test-witness-key.ts";

/** A C2SP witness for tests, written from the text of tlog-witness and from nothing of the product: it refuses whatever that text does not allow. */

interface Held {
  readonly vkeys: string[];
  size: number;
  root: string;
}

type Answer = readonly [status: number, body: string, type?: string];

const node = (l: Buffer, r: Buffer): Buffer => sha(Buffer.of(1), l, r);
const sha = (...parts: Buffer[]): Buffer => createHash("sha256").update(Buffer.concat(parts)).digest();

/** RFC 6962 §2.1.2 read backwards: the roots that a consistency proof leads to, or null if it has too few or too many hashes. */
function rootsOf(oldSize: number, newSize: number, oldRoot: Buffer, proof: readonly Buffer[]): [Buffer, Buffer] | null {
  const left = [...proof];
  const take = (): Buffer => {
    const next = left.shift();
    if (next === undefined) throw new RangeError("too short");
    return next;
  };
  const walk = (m: number, n: number, whole: boolean): [Buffer, Buffer] => {
    if (m === n) {
      const root = whole ? oldRoot : take();
      return [root, root];
    }
    let k = 1;
    while (k * 2 < n) k *= 2;
    if (m <= k) {
      const [older, newer] = walk(m, k, whole);
      return [older, node(newer, take())];
    }
    const [older, newer] = walk(m - k, n - k, false);
    const sibling = take();
    return [node(sibling, older), node(sibling, newer)];
  };
  try {
    const roots = walk(oldSize, newSize, true);
    return left.length === 0 ? roots : null;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function base64(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === 32 && bytes.toString("base64") === text ? bytes : null;
}

export class StrictWitness implements AsyncDisposable {
  readonly key = new TestWitnessKey();
  /** What it answered so far, by status. */
  readonly answered: number[] = [];
  /** Looks at each request before it is judged; what it returns is answered instead. */
  instead: ((body: string) => Answer | null) | null = null;
  readonly #logs = new Map<string, Held>();
  #server: Server | null = null;
  #port = 0;

  static async start(): Promise<StrictWitness> {
    const witness = new StrictWitness();
    await witness.up();
    return witness;
  }

  /** Listens, on the port it had before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => void this.#serve(request, response));
    await new Promise<void>((done) => server.listen(this.#port, "127.0.0.1", done));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the witness does not listen");
    this.#port = address.port;
    this.#server = server;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    server?.closeAllConnections();
    await new Promise<void>((done) => {
      if (server === null) done();
      else server.close(() => done());
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/w1`;
  }

  /** Serves a log under one more key. */
  addLog(vkey: string): void {
    const origin = vkey.slice(0, vkey.indexOf("+"));
    const held = this.#logs.get(origin);
    if (held === undefined) this.#logs.set(origin, { vkeys: [vkey], size: 0, root: "" });
    else held.vkeys.push(vkey);
  }

  /** Rows that it holds of a log. */
  size(vkey: string): number {
    return this.#logs.get(vkey.slice(0, vkey.indexOf("+")))?.size ?? 0;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(Buffer.from(piece));
    const body = Buffer.concat(pieces).toString("utf8");
    const [status, text, type = "text/plain"] =
      request.method !== "POST" || request.url !== "/w1/add-checkpoint"
        ? ([404, "no such address\n"] as const)
        : (this.instead?.(body) ?? this.#judge(body));
    this.answered.push(status);
    response.writeHead(status, { "content-type": type });
    response.end(text);
  }

  #judge(body: string): Answer {
    const bad = [400, "malformed\n"] as const;
    const blank = body.indexOf("\n\n");
    const [first = "", ...lines] = body.slice(0, Math.max(0, blank)).split("\n");
    const said = /^old (0|[1-9]\d*)$/.exec(first)?.[1];
    const proof = lines.map((line) => base64(line));
    const note = body.slice(blank + 2);
    const [, origin = "", sizeText = "", root64 = ""] =
      /^([^\n]+)\n(0|[1-9]\d*)\n([^\n]+)\n\n(?:\u2014 \S+ \S+\n)+$/.exec(note) ?? [];
    const root = base64(root64);
    if (blank < 0 || said === undefined || lines.length > 63 || root === null) return bad;
    const hashes = proof.filter((hash) => hash !== null);
    if (hashes.length !== proof.length) return bad;
    const held = this.#logs.get(origin);
    if (held === undefined) return [404, "unknown log\n"];
    if (!held.vkeys.some((vkey) => signedBy(note, vkey))) return [403, "no known key\n"];
    const [old, size] = [Number(said), Number(sizeText)];
    if (old > size) return bad;
    if (old !== held.size || (old === size && held.root !== root.toString("hex")))
      return [409, `${held.size}\n`, "text/x.tlog.size"];
    if (old === 0 ? hashes.length > 0 : !consistent(held, size, root, hashes)) return [422, "not consistent\n"];
    [held.size, held.root] = [size, root.toString("hex")];
    return [200, this.key.cosign(note)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down();
  }
}

function consistent(held: Held, size: number, root: Buffer, proof: readonly Buffer[]): boolean {
  const oldRoot = Buffer.from(held.root, "hex");
  const roots = rootsOf(held.size, size, oldRoot, proof);
  return roots !== null && roots[0].equals(oldRoot) && roots[1].equals(root);
}
