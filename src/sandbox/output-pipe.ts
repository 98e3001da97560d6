import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Output } from "./command.ts";
import type { FifoPool } from "./fifo.ts";

/** Everybody who could write is gone when this is waited for: what was written is there to be read. */
const READ_MS = 5_000;

/** Whoever writes more than is kept is read from so fast: what is thrown away is not to take the time of everybody else. */
const FLOOD_PIECE = 1 << 20;
const FLOOD_PAUSE_MS = 50;

/** What a command writes, kept up to a limit. */
export class OutputPipe {
  /** The reading end, for a child that keeps it from being without a reader; closed here by {@link finish}. */
  readonly ours: number;
  readonly #socket: Socket;
  readonly #release: () => void;
  readonly #limit: number;
  readonly #head: Buffer[] = [];
  /** The newest of what came after the head, oldest first: at least what is shown of it. */
  readonly #tail: Buffer[] = [];
  #tailLength = 0;
  #sincePause = 0;
  readonly #closed: Promise<unknown>;
  #theirs: number | null;
  #length = 0;

  /** @param limit bytes that are kept. @param over called when there are more: then what came first is kept; null: the first half and the last are.
   *  @param heard called with each piece as it comes. */
  constructor(pool: FifoPool, limit: number, over: (() => void) | null, heard?: (piece: Buffer) => void) {
    this.#limit = limit;
    const { ends, release } = pool.take();
    this.#theirs = ends.write;
    this.ours = ends.read;
    this.#release = release;
    this.#socket = new Socket({ fd: ends.read, readable: true, writable: false });
    this.#socket.on("data", (piece: Buffer) => {
      const room = Math.max(0, (over === null ? Math.ceil(limit / 2) : limit) - this.#length);
      if (room > 0) this.#head.push(piece.subarray(0, room));
      this.#length += piece.length;
      if (over === null && piece.length > room) this.#keepLast(piece.subarray(room));
      heard?.(piece);
      if (this.#length <= limit) return;
      if (over === null) this.#slow(piece.length);
      else over();
    });
    this.#closed = new Promise((resolve) => this.#socket.once("close", resolve));
    this.#socket.on("error", () => {
      // Closes.
    });
  }

  /** For the child; closed here by {@link handedOver}. */
  get theirs(): number | "ignore" {
    return this.#theirs ?? "ignore";
  }
  handedOver(): void {
    if (this.#theirs !== null) closeSync(this.#theirs);
    this.#theirs = null;
  }

  /** What came so far. */
  get output(): Output {
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail).subarray(-(this.#limit - head.length));
    const last = this.#limit > head.length ? tail : tail.subarray(tail.length);
    return { bytes: Buffer.concat([head, last]), left: this.#length - head.length - last.length };
  }

  #keepLast(piece: Buffer): void {
    this.#tail.push(piece);
    this.#tailLength += piece.length;
    for (;;) {
      const [oldest] = this.#tail;
      if (oldest === undefined || this.#tailLength - oldest.length < this.#limit) return;
      this.#tail.shift();
      this.#tailLength -= oldest.length;
    }
  }

  #slow(bytes: number): void {
    this.#sincePause += bytes;
    if (this.#sincePause < FLOOD_PIECE) return;
    this.#sincePause = 0;
    this.#socket.pause();
    setTimeout(() => this.#socket.resume(), FLOOD_PAUSE_MS).unref();
  }

  /** Reads what is left, once nobody writes any more. */
  async finish(): Promise<void> {
    await Promise.race([this.#closed, sleep(READ_MS, undefined, { ref: false })]);
    this.#socket.destroy();
    await this.#closed;
    this.#release();
  }
}
