import { connect, isIPv6, type Socket } from "node:net";
import { Refusal } from "./refusal.ts";

/** Until one of the addresses has answered. */
export const CONNECT_MS = 15_000;
/** An address that has not answered for so long is joined by the next (RFC 8305, 5). */
export const NEXT_ADDRESS_MS = 250;
/** More addresses of one name are not tried. */
export const MAX_ADDRESSES = 12;

/** Connects to the first of `addresses` that answers: the families take turns, and a slow one is not waited for. It asks no resolver.
 *  @throws {Refusal} `unreachable` if all refuse, `timeout` if none answers, or whatever `signal` was aborted with. */
export async function dial(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Socket> {
  return await race(
    interleaved(addresses)
      .slice(0, MAX_ADDRESSES)
      .map((host) => () => connect({ host, port, allowHalfOpen: true, noDelay: true })),
    signal,
  );
}

/** Connects to a Unix socket. @throws as {@link dial} does. */
export async function dialPath(path: string, signal: AbortSignal): Promise<Socket> {
  return await race([() => connect({ path, allowHalfOpen: true })], signal);
}

async function race(attempts: readonly (() => Socket)[], signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const won = Promise.withResolvers<Socket>();
  const running = new Set<Socket>();
  const left = [...attempts];
  let next: NodeJS.Timeout | undefined;
  const failed = (socket: Socket, cause: Error): void => {
    running.delete(socket);
    if (left.length > 0) start();
    else if (running.size === 0) won.reject(new Refusal("unreachable", { cause }));
  };
  const start = (): void => {
    clearTimeout(next);
    const attempt = left.shift();
    if (attempt === undefined) return;
    const socket = attempt();
    running.add(socket);
    socket.once("connect", () => {
      running.delete(socket);
      won.resolve(socket);
    });
    // The listener stays: a socket that was given up may fail yet.
    socket.on("error", (error) => failed(socket, error));
    if (left.length > 0) next = setTimeout(start, NEXT_ADDRESS_MS);
  };
  const aborted = (): void => won.reject(signal.reason);
  signal.addEventListener("abort", aborted, { once: true });
  const late = setTimeout(() => won.reject(new Refusal("timeout")), CONNECT_MS);
  try {
    start();
    return await won.promise;
  } finally {
    left.length = 0;
    clearTimeout(next);
    clearTimeout(late);
    signal.removeEventListener("abort", aborted);
    for (const socket of running) socket.destroy();
  }
}

/** By turns one of each family, beginning with the family of the first. */
function interleaved(addresses: readonly string[]): string[] {
  const firstIs6 = isIPv6(addresses[0] ?? "");
  const one = addresses.filter((address) => isIPv6(address) === firstIs6);
  const other = addresses.filter((address) => isIPv6(address) !== firstIs6);
  return Array.from({ length: Math.max(one.length, other.length) }, (_, index) => [one[index], other[index]])
    .flat()
    .filter((address) => address !== undefined);
}
