import { randomBytes } from "node:crypto";
import { closeSync, fchmodSync, openSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Bytes behind a descriptor and no name: what bubblewrap reads from a descriptor, and what a command reads as its input. */
export class AnonymousFile implements Disposable {
  readonly #fd: number;

  constructor(bytes: Uint8Array) {
    const path = join(tmpdir(), `wirken-${randomBytes(16).toString("hex")}`);
    this.#fd = openSync(path, "wx+", 0o600);
    unlinkSync(path);
    // A command may open its input again, by the name of its descriptor, and runs as another user than root.
    fchmodSync(this.#fd, 0o444);
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
  }

  /** A new descriptor that reads from the start and cannot write; the caller closes it. */
  reopen(): number {
    return openSync(`/proc/self/fd/${this.#fd}`, "r");
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
