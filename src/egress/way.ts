import type { Socket } from "node:net";
import type { LaneEntry } from "../ipc/egress-frames.ts";
import { isGlobal } from "./address.ts";
import { dial, dialPath } from "./dial.ts";
import { allowsAddress } from "./list.ts";
import type { Proxy } from "./proxy.ts";
import { Refusal } from "./refusal.ts";
import type { Questions } from "./resolve.ts";
import type { Target } from "./target.ts";

/** A connection that was made. */
export interface Way {
  readonly socket: Socket;
  /** The address it was made to; null where a proxy chose it, or it is a Unix socket. */
  readonly address: string | null;
  readonly path: string | null;
}

/** Goes to a target that `entries` name: at every address of a name that one of them allows, and at no other. What the resolver says the next time is
 *  not asked for: the addresses that were checked are the ones that are connected to.
 *  @throws {Refusal} or whatever `signal` was aborted with. */
export async function reach(
  target: Target,
  entries: readonly LaneEntry[],
  questions: Questions,
  proxy: Proxy | null,
  signal: AbortSignal,
): Promise<Way> {
  const local = entries.find((entry) => entry.to === "socket");
  if (local !== undefined) return { socket: await dialPath(local.path, signal), address: null, path: local.path };
  switch (target.kind) {
    case "odd":
      throw new Refusal("literal");
    case "address":
      return await direct([target.address], target.port, signal);
    case "host":
      return proxy === null
        ? await direct(await allowed(target.host, entries, questions), target.port, signal)
        : await throughProxy(target.host, target.port, entries, questions, proxy, signal);
  }
}

/** Every host is the proxy's, but one that the operator wrote down and that leads inside: a proxy is the way out. */
async function throughProxy(
  host: string,
  port: number,
  entries: readonly LaneEntry[],
  questions: Questions,
  proxy: Proxy,
  signal: AbortSignal,
): Promise<Way> {
  if (entries.some((entry) => entry.to === "host" && entry.private)) {
    const addresses = await questions.ask(host).catch(() => []);
    if (addresses.length > 0 && addresses.every((address) => !isGlobal(address)))
      return await direct(addresses, port, signal);
  }
  return { socket: await proxy.reach(host, port, signal), address: null, path: null };
}

/** @throws {Refusal} `private` if one of a name's addresses is allowed by no entry: a name that leads to both is not a public one. */
async function allowed(host: string, entries: readonly LaneEntry[], questions: Questions): Promise<readonly string[]> {
  const addresses = await questions.ask(host);
  for (const address of addresses)
    if (!entries.some((entry) => allowsAddress(entry, address))) throw new Refusal("private");
  return addresses;
}

async function direct(addresses: readonly string[], port: number, signal: AbortSignal): Promise<Way> {
  const socket = await dial(addresses, port, signal);
  const address = socket.remoteAddress;
  // It broke in the moment it was made.
  if (address === undefined) throw new Refusal("unreachable");
  return { socket, address, path: null };
}
