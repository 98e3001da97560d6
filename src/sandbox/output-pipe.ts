import { closeSync } from "node:fs";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { FifoPool } from "./fifo.ts";

/** Everybody who could write is gone when this is waited for: what was written is there to be read. */
const READ_MS = 5_000;

/** What a command writes, kept up to a limit. */
export class OutputPipe {
  /** The reading end, for a child that keeps it from being without a reader; closed here by {@link finish}. */
  readonly ours: number;
  readonly #socket: Socket;
  readonly #release: () => void;
  readonly #pieces: Buffer[] = [];
  readonly #closed: Promise<unknown>;
  #theirs: number | null;
  #length = 0;

  /** @param limit bytes that are kept. @param over called when there are more. @param heard called with each piece as it comes. */
  constructor(pool: FifoPool, limit: number, over: () => void, heard?: (piece: Buffer) => void) {
    const { ends, release } = pool.take();
    this.#theirs = ends.write;
    this.ours = ends.read;
    this.#release = release;
    this.#socket = new Socket({ fd: ends.read, readable: true, writable: false });
    this.#socket.on("data", (piece: Buffer) => {
      const room = limit - this.#length;
      if (room > 0) this.#pieces.push(piece.length > room ? piece.subarray(0, room) : piece);
      this.#length += piece.length;
      heard?.(piece);
      if (this.#length > limit) over();
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

  /** What came, at most `limit` bytes. */
  bytes(): Uint8Array {
    return Buffer.concat(this.#pieces);
  }

  /** Reads what is left, once nobody writes any more. */
  async finish(): Promise<void> {
    await Promise.race([this.#closed, sleep(READ_MS, undefined, { ref: false })]);
    this.#socket.destroy();
    await this.#closed;
    this.#release();
  }
}
