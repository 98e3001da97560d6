import { Duplex } from "node:stream";

/** A stream that is no socket, with the methods of one that Node's HTTP and its callers use. */
export abstract class SocketStream extends Duplex {
  #idle: NodeJS.Timeout | null = null;

  /** To be called with every byte in either direction. */
  protected active(): void {
    this.#idle?.refresh();
  }

  /** To be called when it is destroyed. */
  protected atRest(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }

  /** Emits `timeout` after `milliseconds` without a byte in either direction; 0 ends that. */
  setTimeout(milliseconds: number, callback?: () => void): this {
    this.atRest();
    if (milliseconds > 0 && !this.destroyed) {
      this.#idle = setTimeout(() => this.emit("timeout"), milliseconds);
      this.#idle.unref();
    }
    if (callback !== undefined) {
      if (milliseconds > 0) this.once("timeout", callback);
      else this.off("timeout", callback);
    }
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  /** Ends, and destroys once everything written is on its way. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once("finish", () => this.destroy());
  }
}
