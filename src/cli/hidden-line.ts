/** A line is at most 64 KiB, as a secret is. */
const MAX_LINE_BYTES = 65_536;
const KEY = { ctrlC: 3, ctrlD: 4, backspace: 8, lineFeed: 10, return: 13, ctrlU: 21, escape: 27, delete: 127 } as const;

/** The bytes of one line as they are typed and taken back, in raw mode. What comes after its end is dropped. */
export class HiddenLine {
  readonly #bytes = new Uint8Array(new ArrayBuffer(MAX_LINE_BYTES));
  #length = 0;
  /** Inside an escape sequence, such as an arrow key: nothing of it belongs to the line. */
  #escape: "none" | "start" | "sequence" = "none";
  #ended = false;

  /** @returns how the line ended with this byte, or null while it goes on. */
  key(byte: number): "line" | "interrupt" | null {
    if (this.#ended) return null;
    if (this.#escape === "start") {
      this.#escape = byte === 0x5b || byte === 0x4f ? "sequence" : "none";
      return null;
    }
    if (this.#escape === "sequence") {
      if (byte >= 0x40 && byte <= 0x7e) this.#escape = "none";
      return null;
    }
    switch (byte) {
      case KEY.ctrlC:
        return this.#end("interrupt");
      case KEY.ctrlD:
        return this.#length === 0 ? this.#end("interrupt") : null;
      case KEY.return:
      case KEY.lineFeed:
        return this.#end("line");
      case KEY.ctrlU:
        this.wipe();
        return null;
      case KEY.escape:
        this.#escape = "start";
        return null;
      case KEY.backspace:
      case KEY.delete:
        this.#erase();
        return null;
      default:
        if (byte >= 0x20 && this.#length < MAX_LINE_BYTES) this.#bytes[this.#length++] = byte;
        return null;
    }
  }

  #end(how: "line" | "interrupt"): "line" | "interrupt" {
    this.#ended = true;
    return how;
  }

  /** Takes one character back: its last byte and the continuation bytes of UTF-8 before it. */
  #erase(): void {
    while (this.#length > 0) {
      const byte = this.#bytes[--this.#length] ?? 0;
      this.#bytes[this.#length] = 0;
      if ((byte & 0xc0) !== 0x80) return;
    }
  }

  /** Moves the line out. */
  take(): Uint8Array {
    const own = new Uint8Array(new ArrayBuffer(this.#length));
    own.set(this.#bytes.subarray(0, this.#length));
    this.wipe();
    return own;
  }

  wipe(): void {
    this.#bytes.fill(0, 0, this.#length);
    this.#length = 0;
  }
}
