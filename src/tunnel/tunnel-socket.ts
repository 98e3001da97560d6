import type { ClientHttp2Stream } from "node:http2";
import { SocketStream } from "../ipc/socket-stream.ts";
import { reasonOf, TunnelError, type TunnelReason } from "./tunnel-error.ts";

/** Bytes that are read ahead, and written ahead, of one connection in this process; egress and the other end hold the rest back. */
const BUFFER = 65_536;
/** From the request to egress's word: egress resolves and connects within this, and says `timeout` itself. */
export const OPEN_MS = 60_000;

// RFC 9113, section 7.
const NO_ERROR = 0;
const REFUSED_STREAM = 7;
const CANCEL = 8;

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** One connection through egress, with the methods of a socket. It is `connecting` until egress has opened it: then it emits `connect`. Until then
 *  writes wait. Every error is a {@link TunnelError}. */
export class TunnelSocket extends SocketStream {
  readonly #target: Target;
  readonly #hint: string;
  #stream: ClientHttp2Stream | null = null;
  #connecting = true;
  #wanted = false;
  #waiting: (() => void)[] = [];
  #patience: NodeJS.Timeout | null = null;
  readonly #lost: () => boolean;

  /** @param open asks for the connection, or says why it cannot.
   *  @param lost whether the lane is gone by now.
   *  @param hint for a sentence: where the list can be seen. */
  constructor(target: Target, open: () => ClientHttp2Stream | TunnelReason, lost: () => boolean, hint: string) {
    super({ highWaterMark: BUFFER, allowHalfOpen: true });
    this.#target = target;
    this.#hint = hint;
    this.#lost = lost;
    const stream = open();
    if (typeof stream === "string") this.#fail(stream);
    else this.#begin(stream);
  }

  /** As a socket's: whether it does not stand yet. */
  get connecting(): boolean {
    return this.#connecting;
  }

  /** The lane below it keeps the process alive, or does not. */
  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  #begin(stream: ClientHttp2Stream): void {
    this.#stream = stream;
    this.#patience = setTimeout(() => this.#fail("timeout"), OPEN_MS);
    stream.once("response", (headers) => {
      if (headers[":status"] === 200) this.#opened();
      else this.#fail(reasonOf(headers[":status"] ?? 0, headers["wirken-reason"]));
    });
    // `close` follows, and is what counts.
    stream.on("error", () => undefined);
    stream.once("close", () => this.#closed(stream));
    stream.on("readable", () => this.#pull());
    // A reset ends the stream, too: what came before it is the whole of nothing.
    stream.once("end", () => {
      if (stream.rstCode === NO_ERROR && !this.#connecting && !this.#lost()) this.push(null);
      else this.#closed(stream);
    });
  }

  #opened(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#connecting = false;
    const waiting = this.#waiting.splice(0);
    this.emit("connect");
    this.emit("ready");
    for (const go of waiting) go();
    this.#pull();
  }

  #closed({ rstCode }: ClientHttp2Stream): void {
    if (this.destroyed || (rstCode === NO_ERROR && !this.#connecting && !this.#lost())) return;
    if (this.#lost()) this.#fail("lost");
    else if (rstCode === REFUSED_STREAM) this.#fail(this.#connecting ? "busy" : "server-name");
    else this.#fail(this.#connecting ? "unreachable" : "cut");
  }

  #fail(reason: TunnelReason): void {
    this.destroy(new TunnelError(reason, this.#target, this.#hint, !this.#connecting));
  }

  #pull(): void {
    while (this.#wanted && !this.#connecting) {
      const bytes: unknown = this.#stream?.read() ?? null;
      if (!(bytes instanceof Uint8Array)) return;
      this.active();
      this.#wanted = this.push(bytes);
    }
  }

  /** Now, or once the connection stands. What waits is forgotten when it does not come about. */
  #whenOpen(go: () => void): void {
    if (this.#connecting) this.#waiting.push(go);
    else go();
  }

  override _read(): void {
    this.#wanted = true;
    this.#pull();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#whenOpen(() => this.#send(chunk, done));
  }

  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], done: (error?: Error | null) => void): void {
    this.#whenOpen(() => this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done));
  }

  #send(bytes: Buffer, done: (error?: Error | null) => void): void {
    this.active();
    this.#stream?.write(bytes, (error) => {
      this.active();
      // A write fails because the stream is over: `close` says why.
      if (error === null || error === undefined) done();
    });
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#whenOpen(() => this.#stream?.end(() => done()));
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.atRest();
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#waiting = [];
    const over = error === null && this.readableEnded && this.writableFinished;
    if (this.#stream?.closed === false) this.#stream.close(over ? NO_ERROR : CANCEL);
    done(error);
  }
}
