import { randomFillSync } from "node:crypto";
import { inspect } from "node:util";
import { markAsUncloneable } from "node:worker_threads";

/** A copy off the V8 heap: a small array of JavaScript's own lies on it, and the collector leaves copies of it wherever it moves it. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const own = new Uint8Array(new ArrayBuffer(bytes.length));
  own.set(bytes);
  return own;
}

/** Key material. Its bytes are visible only inside {@link Secret.use}; `using` wipes them. */
export class Secret implements Disposable {
  #bytes: Uint8Array | null;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    markAsUncloneable(this); // structuredClone and postMessage throw
  }

  /** Moves `source` in and wipes it. The copy is off the V8 heap, so the collector never moves it. */
  static take(source: Uint8Array): Secret {
    const own = copyOf(source);
    source.fill(0);
    return new Secret(own);
  }

  /** @returns `length` bytes from the operating system's generator. */
  static random(length: number): Secret {
    return new Secret(randomFillSync(new Uint8Array(new ArrayBuffer(length))));
  }

  /** Lends the bytes to `read`, which must not keep them: a view of them reads as zeros once the secret is wiped.
   *  @throws {TypeError} once the secret is wiped. */
  use<T>(read: (bytes: Uint8Array) => T): T {
    if (this.#bytes === null) throw new TypeError("Cannot use a wiped secret");
    return read(this.#bytes);
  }

  /** @returns a second secret with the same bytes and a life of its own. */
  copy(): Secret {
    return this.use((bytes) => new Secret(copyOf(bytes)));
  }

  [Symbol.dispose](): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }

  toJSON(): never {
    throw new TypeError("Cannot serialise a secret");
  }

  toString(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
