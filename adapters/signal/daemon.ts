import { createConnection } from "node:net";
import type { Duplex } from "node:stream";
import * as z from "zod/mini";
import { addressOnLane } from "../../src/ipc/local-socket.ts";
import { ownTunnel } from "../../src/tunnel/own-tunnel.ts";
import type { Credentials, Start } from "../adapter.ts";

/** The signal-cli daemon of this machine: where it listens, and how it is asked.
 *  @see https://github.com/AsamK/signal-cli/blob/master/man/signal-cli-jsonrpc.5.adoc */

/** One answer; a message of Signal's has 64 KiB at most, and attachments are only named. */
const MAX_LINE_BYTES = 4_194_304;
/** Under which a Unix socket is asked for on a lane. */
const HTTP = 80;

/** signal-cli's own: the account's fault or ours, the network's, an identity that changed, too many messages. */
export const USER_ERROR = -1;
export const IO_ERROR = -3;
export const UNTRUSTED_ERROR = -4;
export const RATE_ERROR = -5;
/** It was started for one account and knows of no others. */
export const NO_SUCH_METHOD = -32_601;

/** signal-cli said no. */
export class DaemonError extends Error {
  override readonly name = "DaemonError";
  readonly code: number;
  /** What came beside it, such as the results of a message that some did not get. */
  readonly data: unknown;
  constructor(code: number, message: string, data: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** What answers is not signal-cli. */
export class NotTheDaemonError extends Error {
  override readonly name = "NotTheDaemonError";
}

export interface DaemonPlace {
  readonly host: string;
  readonly port: number;
  /** As the operator knows it. */
  readonly shown: string;
  /** The option of signal-cli that makes it listen there. */
  readonly option: string;
}

export function daemonPlace(credentials: Credentials, start: Start): DaemonPlace {
  const daemon = (credentials.get("daemon") ?? "").trim();
  const address = start.apiRoot ?? addressOnLane(daemon);
  const { hostname, port } = new URL(address.includes("://") ? address : `tcp://${address}`);
  const place = { host: hostname, port: port === "" ? HTTP : Number(port) };
  const shown = start.apiRoot === null ? daemon : `${place.host}:${place.port}`;
  const option = shown.startsWith("unix:") ? `--socket ${shown.slice("unix:".length)}` : `--tcp ${shown}`;
  return { ...place, shown, option };
}

const Answer = z.object({
  id: z.optional(z.nullable(z.union([z.string(), z.number()]))),
  method: z.optional(z.string()),
  result: z.optional(z.unknown()),
  error: z.optional(
    z.object({ code: z.int(), message: z._default(z.nullable(z.string()), ""), data: z.optional(z.unknown()) }),
  ),
});

interface Waiting {
  readonly settle: (result: unknown) => void;
  readonly fail: (error: Error) => void;
}

/** One connection to it. Answers come in any order. */
export class Daemon {
  readonly #socket: Duplex;
  readonly #waiting = new Map<string, Waiting>();
  #buffered: Buffer[] = [];
  #bytes = 0;
  /** What answers may have that somebody waits for, beyond what any has. */
  #room = 0;
  #next = 0;
  #ended: Error | null = null;

  constructor({ host, port }: DaemonPlace) {
    this.#socket = ownTunnel()?.tunnel.connect(host, port) ?? createConnection({ host, port });
    this.#socket.on("data", (piece: Buffer) => this.#take(piece));
    this.#socket.on("error", (error) => this.#end(error));
    this.#socket.on("close", () => this.#end(new Error("the connection to signal-cli ended")));
  }

  /** It is of no use any more: what is asked now is not sent. */
  get over(): boolean {
    return this.#ended !== null;
  }

  /** Asks once. @param maxBytes what the answer may have beyond what any has. @param timeoutMs then the connection is given up: nobody can tell any more which answer belongs to what.
   *  @throws {DaemonError} for its no; any other error when there is no answer. */
  async call(method: string, params: object, timeoutMs: number, maxBytes = 0): Promise<unknown> {
    if (this.#ended !== null) throw this.#ended;
    this.#room += maxBytes;
    this.#next += 1;
    const id = String(this.#next);
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    this.#waiting.set(id, { settle: resolve, fail: reject });
    const late = setTimeout(() => this.#end(new Error("no answer in time")), timeoutMs);
    this.#socket.write(`${JSON.stringify({ jsonrpc: "2.0", method, params, id })}\n`);
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      this.#waiting.delete(id);
      this.#room -= maxBytes;
    }
  }

  close(): void {
    this.#end(new Error("the channel was stopped"));
  }

  #take(piece: Buffer): void {
    let rest = piece;
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = Buffer.concat([...this.#buffered, rest.subarray(0, end)]).toString("utf8");
      this.#buffered = [];
      this.#bytes = 0;
      rest = rest.subarray(end + 1);
      if (line.trim() !== "") this.#hear(line);
    }
    if (rest.length === 0) return;
    this.#buffered.push(rest);
    this.#bytes += rest.length;
    if (this.#bytes > MAX_LINE_BYTES + this.#room) this.#end(new NotTheDaemonError("an answer without an end"));
  }

  #hear(line: string): void {
    const answer = Answer.safeParse(parsed(line));
    if (!answer.success) {
      this.#end(new NotTheDaemonError("what listens there is not signal-cli"));
      return;
    }
    const { id, error, result } = answer.data;
    // A notification: it is not in manual mode, and hands its messages to whoever is connected.
    if (answer.data.method !== undefined && (id === undefined || id === null)) {
      if (answer.data.method === "receive")
        this.#end(new DaemonError(USER_ERROR, "signal-cli receives by itself", null));
      return;
    }
    const waiting = this.#waiting.get(String(id));
    if (error === undefined) waiting?.settle(result);
    else waiting?.fail(new DaemonError(error.code, error.message ?? "", error.data));
  }

  #end(error: Error): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#socket.destroy();
    for (const { fail } of this.#waiting.values()) fail(error);
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return null;
  }
}
