import type { Duplex } from "node:stream";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { type JSONRPCMessage, JSONRPCMessageSchema } from "@modelcontextprotocol/sdk/types.js";
import { McpProcessError } from "./mcp-error.ts";

/** Of one message from a server, in bytes. */
export const MAX_MESSAGE = 8 * 1024 * 1024;
/** Lines that are no message, after which a server is given up. Some print a greeting. */
const MAX_STRAY = 50;

/** JSON-RPC in lines over one descriptor: the protocol's stdio, where somebody else started the server. */
export class LineTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #stream: Duplex;
  #pieces: Buffer[] = [];
  #length = 0;
  #stray = 0;
  #closed = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  start(): Promise<void> {
    this.#stream.on("data", (piece: Buffer) => this.#take(piece));
    this.#stream.on("error", (error) => this.onerror?.(error));
    this.#stream.on("end", () => this.#close());
    this.#stream.on("close", () => this.#close());
    return Promise.resolve();
  }

  async send(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) throw new McpProcessError("ended", "the server has ended");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#stream.write(`${JSON.stringify(message)}\n`, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(new McpProcessError("ended", "the server has ended", { cause: error }));
    });
    await promise;
  }

  close(): Promise<void> {
    this.#stream.end();
    this.#close();
    return Promise.resolve();
  }

  #take(piece: Buffer): void {
    let from = 0;
    for (let at = piece.indexOf(10); at !== -1 && !this.#closed; at = piece.indexOf(10, from)) {
      this.#hold(piece.subarray(from, at));
      const line = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.#length = 0;
      this.#line(line);
      from = at + 1;
    }
    if (!this.#closed) this.#hold(piece.subarray(from));
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#length += piece.length;
    if (this.#length > MAX_MESSAGE)
      this.#end(new McpProcessError("too-large", `the server sent a message of more than ${MAX_MESSAGE} bytes`));
    else this.#pieces.push(piece);
  }

  #line(line: Buffer): void {
    if (line.length === 0) return;
    let message: JSONRPCMessage;
    try {
      message = JSONRPCMessageSchema.parse(JSON.parse(line.toString("utf8")));
    } catch {
      this.#stray += 1;
      if (this.#stray > MAX_STRAY)
        this.#end(new McpProcessError("protocol", "what the server writes is not MCP: its output holds other lines"));
      return;
    }
    this.onmessage?.(message);
  }

  #end(error: McpProcessError): void {
    this.#pieces = [];
    this.onerror?.(error);
    this.#close();
    this.#stream.destroy();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pieces = [];
    this.onclose?.();
  }
}
