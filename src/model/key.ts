import { inspect } from "node:util";
import { withoutSecret } from "../ipc/redaction.ts";
import { ModelError } from "./model-error.ts";

/** The longest key that is believed; real ones have 50 to 200 characters. */
const MAX_KEY_BYTES = 4096;

/** Prefixes by which the known providers' keys are told apart, longest first. */
const PREFIXES: readonly (readonly [prefix: string, provider: string])[] = [
  ["sk-ant-", "anthropic"],
  ["sk-or-", "openrouter"],
  ["sk-proj-", "openai"],
  ["sk-svcacct-", "openai"],
  ["AIza", "google"],
  ["ABSK", "bedrock"],
  ["bedrock-api-key-", "bedrock"],
];

/** An API key. It is kept as bytes off the V8 heap and becomes text only inside {@link ApiKey.header}.
 *
 *  What that cannot do: an HTTP header in Node is a JavaScript string, so while a request runs, and until the collector
 *  has overwritten the place, this process's memory holds the key as text too. Nothing in the language wipes a string.
 *  Hence this process holds one key only, writes no core file and cannot be read by others (see `src/confine`). */
export class ApiKey implements Disposable {
  #bytes: Uint8Array | null;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Moves the key out of `source`, without the line end that a paste brings along, and wipes `source`. */
  static take(source: Uint8Array): ApiKey {
    let start = 0;
    let end = source.length;
    while (start < end && isBlank(source[start])) start++;
    while (end > start && isBlank(source[end - 1])) end--;
    const own = new Uint8Array(new ArrayBuffer(end - start));
    own.set(source.subarray(start, end));
    source.fill(0);
    return new ApiKey(own);
  }

  /** @returns the value of a header, such as `Bearer …`.
   *  @throws {ModelError} `key-refused` for bytes that no header may hold: `fetch` would print them in its own error. */
  header(provider: string, prefix: "" | "Bearer "): string {
    const bytes = this.#bytes;
    if (bytes === null) throw new ModelError("key-refused", `the key for ${provider} is no longer in memory`);
    const printable = bytes.every((byte) => byte > 0x20 && byte < 0x7f);
    if (bytes.length === 0 || bytes.length > MAX_KEY_BYTES || !printable)
      throw new ModelError(
        "key-refused",
        `the key for ${provider} is empty or has characters that no key has: add it again with \`wirken vault add ${provider}\``,
      );
    return prefix + text(bytes);
  }

  /** Which known provider this key belongs to by its prefix, if that is another than `provider`. */
  belongsElsewhere(provider: string): string | null {
    const bytes = this.#bytes;
    if (bytes === null) return null;
    const found = PREFIXES.find(([prefix]) => startsWith(bytes, prefix));
    const known = PREFIXES.some(([, name]) => name === provider);
    return found !== undefined && known && found[1] !== provider ? found[1] : null;
  }

  /** Takes the key, and pieces of it, out of what somebody else wrote. */
  remove(words: string): string {
    const bytes = this.#bytes;
    return bytes === null ? words : withoutSecret(words, text(bytes), "[key]");
  }

  /** Takes the key, pieces of it, and whatever looks like a provider's key, out of a sentence that somebody else wrote. */
  redact(sentence: string): string {
    return redactKeys(this.remove(sentence));
  }

  [Symbol.dispose](): void {
    this.#bytes?.fill(0);
    this.#bytes = null;
  }
  toJSON(): never {
    throw new TypeError("Cannot serialise a key");
  }
  toString(): string {
    return "[key]";
  }
  [inspect.custom](): string {
    return "[key]";
  }
}

/** Providers quote a refused key in part (`sk-ab***yz`): that part is nobody's business either. */
export function redactKeys(sentence: string): string {
  return sentence
    .replaceAll(/\b(?:sk|pk|rk|key|api)-[\w*.…-]{6,}/gi, "[key]")
    .replaceAll(/\b(?:AIza|ABSK)[\w*.…+/=-]{6,}/g, "[key]");
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function startsWith(bytes: Uint8Array, prefix: string): boolean {
  for (let i = 0; i < prefix.length; i++) if (bytes[i] !== prefix.charCodeAt(i)) return false;
  return true;
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
