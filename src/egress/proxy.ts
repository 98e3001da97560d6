import { connect as connectTls } from "node:tls";
import { isIP, type Socket } from "node:net";
import type { UpstreamProxy } from "../ipc/egress-frames.ts";
import { dial } from "./dial.ts";
import { Refusal } from "./refusal.ts";
import type { Resolve } from "./resolve.ts";

/** The answer of a proxy to a CONNECT, up to the empty line. */
export const MAX_ANSWER_BYTES = 16_384;
/** From the first byte to the proxy until its answer is there: the proxy connects meanwhile. */
export const ANSWER_MS = 30_000;

const END_OF_HEAD = "\r\n\r\n";

/** Makes connections through a company's proxy: HTTP CONNECT, with the Basic scheme where it wants a credential.
 *
 *  The proxy resolves the names. So an address is not checked here, and an entry's `private` means nothing there: what a listed name leads to is what
 *  the company's proxy lets it lead to. The name itself is one that is listed. */
export class Proxy {
  readonly #proxy: UpstreamProxy;
  readonly #credential: Uint8Array | null;
  readonly #resolve: Resolve;

  /** @param credential `user:password` in UTF-8, which lives as long as this process; null where none is wanted. */
  constructor(proxy: UpstreamProxy, credential: Uint8Array | null, resolve: Resolve) {
    this.#proxy = proxy;
    this.#credential = credential;
    this.#resolve = resolve;
  }

  /** @throws {Refusal} `unreachable` if the proxy is not there or does not connect, `timeout` if it says nothing. */
  async reach(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    const socket = await this.#connect(signal);
    try {
      await ask(socket, `${host}:${port}`, this.#credential, signal);
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async #connect(signal: AbortSignal): Promise<Socket> {
    const { host, port, tls } = this.#proxy;
    // The operator wrote it down: it may be anywhere.
    const addresses = isIP(host) === 0 ? await this.#addresses(host) : [host];
    const plain = await dial(addresses, port, signal);
    if (!tls) return plain;
    const secure = connectTls({
      socket: plain,
      ALPNProtocols: ["http/1.1"],
      ...(isIP(host) === 0 ? { servername: host } : { host }),
    });
    const open = Promise.withResolvers<void>();
    const abort = (): void => void secure.destroy(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    secure.setTimeout(ANSWER_MS, () => secure.destroy(new Refusal("timeout")));
    secure.once("secureConnect", () => open.resolve());
    secure.on("error", (cause) =>
      open.reject(cause instanceof Refusal ? cause : new Refusal("unreachable", { cause })),
    );
    secure.once("close", () => open.reject(new Refusal("unreachable")));
    try {
      await open.promise;
      secure.setTimeout(0);
      return secure;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #addresses(host: string): Promise<readonly string[]> {
    try {
      return await this.#resolve(host);
    } catch (cause) {
      throw new Refusal("unreachable", { cause });
    }
  }
}

/** Asks for a tunnel and waits for the answer; bytes behind the answer stay in the socket. */
async function ask(
  socket: Socket,
  authority: string,
  credential: Uint8Array | null,
  signal: AbortSignal,
): Promise<void> {
  const answered = Promise.withResolvers<void>();
  let head = Buffer.alloc(0);
  const onReadable = (): void => {
    for (let chunk: unknown = socket.read(); chunk instanceof Uint8Array; chunk = socket.read()) {
      head = Buffer.concat([head, chunk]);
      const end = head.indexOf(END_OF_HEAD);
      if (end < 0) {
        if (head.length > MAX_ANSWER_BYTES) answered.reject(new Refusal("unreachable"));
        continue;
      }
      const rest = head.subarray(end + END_OF_HEAD.length);
      socket.off("readable", onReadable);
      if (rest.length > 0) socket.unshift(rest);
      if (/^HTTP\/1\.[01] 2[0-9][0-9](?: |\r)/.test(head.toString("latin1", 0, end + 2))) answered.resolve();
      else answered.reject(new Refusal("unreachable"));
      return;
    }
  };
  const onOver = (): void => answered.reject(new Refusal("unreachable"));
  const onAbort = (): void => answered.reject(signal.reason);
  const late = setTimeout(() => answered.reject(new Refusal("timeout")), ANSWER_MS);
  socket.on("error", onOver);
  socket.once("end", onOver);
  socket.once("close", onOver);
  socket.on("readable", onReadable);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    socket.write(requestFor(authority, credential));
    await answered.promise;
  } finally {
    clearTimeout(late);
    signal.removeEventListener("abort", onAbort);
    socket.off("readable", onReadable);
    socket.off("end", onOver);
    socket.off("close", onOver);
  }
}

function requestFor(authority: string, credential: Uint8Array | null): Uint8Array {
  const head = `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n`;
  if (credential === null) return Buffer.from(`${head}\r\n`);
  return Buffer.concat([
    Buffer.from(`${head}Proxy-Authorization: Basic `),
    base64Of(credential),
    Buffer.from(END_OF_HEAD),
  ]);
}

const ALPHABET = Buffer.from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
const PADDING = 0x3d;

/** Base64 as bytes: a credential never becomes a string. */
function base64Of(bytes: Uint8Array): Uint8Array {
  const encoded = new Uint8Array(4 * Math.ceil(bytes.length / 3));
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) {
    const [a = 0, b, c] = bytes.subarray(from, from + 3);
    const group = (a << 16) | ((b ?? 0) << 8) | (c ?? 0);
    for (let digit = 0; digit < 4; digit++) encoded[to + digit] = ALPHABET[(group >> (18 - 6 * digit)) & 63] ?? 0;
    if (c === undefined) encoded[to + 3] = PADDING;
    if (b === undefined) encoded[to + 2] = PADDING;
  }
  return encoded;
}
