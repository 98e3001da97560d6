import { inspect } from "node:util";
import type { CredentialPlace } from "../ipc/fetch-frames.ts";
import { withoutSecret } from "../ipc/redaction.ts";
import { FetchError } from "./fetch-error.ts";

/** The longest that is believed. */
const MAX_BYTES = 8_192;

/** The one credential of a request. It is bytes off the V8 heap, and text only in the header that it goes out in: this process ends with that request. */
export class Credential implements Disposable {
  #bytes: Uint8Array | null;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves it out of `source`, without the line end that a paste brings along, and wipes `source`. */
  static take(source: Uint8Array): Credential {
    let [start, end] = [0, source.length];
    while (start < end && isBlank(source[start])) start++;
    while (end > start && isBlank(source[end - 1])) end--;
    const own = new Uint8Array(new ArrayBuffer(end - start));
    own.set(source.subarray(start, end));
    source.fill(0);
    return new Credential(own);
  }

  /** @throws {FetchError} for bytes that no header may hold: Node would print them in its own error. */
  header({ header, prefix }: CredentialPlace): readonly [name: string, value: string] {
    const bytes = this.#bytes;
    const fits =
      bytes !== null &&
      bytes.length > 0 &&
      bytes.length <= MAX_BYTES &&
      bytes.every((one) => one >= 0x20 && one < 0x7f);
    if (!fits) throw new FetchError("refused", "the credential is empty or has characters that no header may hold");
    return [header, prefix + text(bytes)];
  }

  /** Takes it, and pieces of it, out of what somebody else wrote. */
  remove(words: string): string {
    return this.#bytes === null ? words : withoutSecret(words, text(this.#bytes), "[credential]");
  }

  [Symbol.dispose](): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }
  toJSON(): never {
    throw new TypeError("Cannot serialise a credential");
  }
  toString(): string {
    return "[credential]";
  }
  [inspect.custom](): string {
    return "[credential]";
  }
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
