import type { EgressReason, LaneEntry } from "../ipc/egress-frames.ts";
import { isGlobal } from "./address.ts";
import { isSameAddress, type Target } from "./target.ts";

/** The entries that a target is on, or why it is on none. More entries never allow less: what one of them allows is allowed. */
export type Listed =
  | { readonly entries: readonly [LaneEntry, ...LaneEntry[]] }
  | { readonly entries: null; readonly reason: Extract<EgressReason, "unlisted" | "literal"> };

/** What is known of a connection that is open, or about to be. */
export interface Reach {
  /** Where it leads: null where a proxy chose that, or at a Unix socket. */
  readonly address: string | null;
  /** The Unix socket it leads to. */
  readonly path: string | null;
  /** Whether its first bytes were a TLS hello that asks for its host. */
  readonly helloChecked: boolean;
}

/** @returns every entry of `list` that names this host and this port. */
export function lookUp(list: readonly LaneEntry[], target: Target): Listed {
  const [first, ...more] = list.filter((entry) => names(entry, target));
  if (first !== undefined) return { entries: [first, ...more] };
  return { entries: null, reason: target.kind === "host" ? "unlisted" : "literal" };
}

/** Whether an entry that names the target allows it to be reached at `address`. A proxy (null) resolves names itself: what it may reach is its own
 *  affair, and the entry's `private` says nothing. */
export function allowsAddress(entry: LaneEntry, address: string | null): boolean {
  switch (entry.to) {
    case "host":
      return address === null || entry.private || isGlobal(address);
    case "address":
      return address !== null && isSameAddress(entry.address, address);
    case "socket":
      return false;
  }
}

/** Whether a list still allows a connection as it stands. */
export function permits(list: readonly LaneEntry[], target: Target, reach: Reach): boolean {
  return list.some(
    (entry) =>
      names(entry, target) &&
      (entry.to === "socket"
        ? entry.path === reach.path
        : reach.path === null && allowsAddress(entry, reach.address) && (!entry.tls || reach.helloChecked)),
  );
}

/** The port under which the name of a Unix socket is asked for. */
const SOCKET_PORT = 80;

function names(entry: LaneEntry, target: Target): boolean {
  switch (entry.to) {
    case "host":
      return target.kind === "host" && entry.port === target.port && matches(entry.host, target.host);
    case "address":
      return target.kind === "address" && entry.port === target.port && isSameAddress(entry.address, target.address);
    case "socket":
      return target.kind === "host" && target.port === SOCKET_PORT && entry.name === target.host;
  }
}

/** `*.example.org` stands for every name below `example.org`, and not for that name itself. */
function matches(pattern: string, host: string): boolean {
  return pattern.startsWith("*.")
    ? host.length > pattern.length - 1 && host.endsWith(pattern.slice(1))
    : pattern === host;
}
