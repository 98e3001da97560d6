import { EgressReason } from "../ipc/egress-frames.ts";

/** Why there is no connection, or no longer one: what egress said, or `lost`: the lane is gone, `cut`: the connection was reset,
 *  `laneless`: this process was given none. */
export type TunnelReason = EgressReason | "lost" | "cut" | "laneless";

interface Meaning {
  /** The system's code for the like of it: libraries know these, and whether to try again. */
  readonly code: string;
  /** Whether it is the same at every try, until the operator changes something. */
  readonly final: boolean;
  readonly words: (target: string, hint: string) => string;
}

const MEANINGS: Readonly<Record<TunnelReason, Meaning>> = {
  unlisted: refused((target, hint) => `${target} is not on this process's list: ${hint}`),
  literal: refused(
    (target, hint) => `${target} is an address, and this process may reach what is on its list by name only: ${hint}`,
  ),
  private: refused(
    (target, hint) => `${target} leads to an address of a private network, which this process may not reach: ${hint}`,
  ),
  "server-name": refused(
    (target, hint) =>
      `egress ended the connection to ${target}: it is not on the list any more, or what was said was no TLS for that host: ${hint}`,
  ),
  malformed: refused((target) => `${target} is no host and port that can be reached`),
  withdrawn: refused((target, hint) => `${target} was taken from this process's list: ${hint}`),
  laneless: refused((target) => `${target} cannot be reached: this process was given no way to a network`),
  busy: passing("EAGAIN", (target) => `${target} has to wait: this process has too many connections open`),
  unresolved: passing("ENOTFOUND", (target) => `${target} is not found: there is no such name, or no network`),
  unreachable: passing("ECONNREFUSED", (target) => `${target} takes no connection`),
  timeout: passing("ETIMEDOUT", (target) => `${target} did not answer in time`),
  cut: passing("ECONNRESET", (target) => `the connection to ${target} was reset`),
  lost: passing("ENETDOWN", (target) => `the way to ${target} is gone: the egress process ended`),
};

/** A connection that egress refused, could not make, or lost. It reads like the system's own: `code`, `syscall`, `hostname`, `port`. The message
 *  holds the host and the port, and nothing else that was to be sent. */
export class TunnelError extends Error {
  override readonly name = "TunnelError";
  /** `EACCES` for every refusal; else `ENOTFOUND`, `ECONNREFUSED`, `ETIMEDOUT`, `EAGAIN`, `ECONNRESET` or `ENETDOWN`. */
  readonly code: string;
  readonly reason: TunnelReason;
  readonly syscall: "connect" | "read";
  readonly hostname: string;
  readonly port: number;
  /** Whether trying again is of no use. */
  readonly final: boolean;

  /** @param opened whether the connection stood: something may have been read at the other end. */
  constructor(reason: TunnelReason, to: { host: string; port: number }, hint: string, opened: boolean) {
    const { code, final, words } = MEANINGS[reason];
    super(words(`${to.host.slice(0, MAX_HOST)}:${to.port}`, hint));
    this.reason = reason;
    // A connection that stood is no longer one that did not come about.
    this.code = opened && !final ? "ECONNRESET" : code;
    this.syscall = opened ? "read" : "connect";
    this.hostname = to.host;
    this.port = to.port;
    this.final = final;
  }
}

/** Of a host in a sentence: the longest name that there is. */
const MAX_HOST = 253;

/** How deep a chain of causes is followed: one that somebody else made may be a circle. */
const MAX_CAUSES = 8;

/** Finds the error of ours inside what a library threw around it; null if there is none. */
export function tunnelErrorIn(error: unknown): TunnelError | null {
  let at = error;
  for (let depth = 0; depth < MAX_CAUSES && at instanceof Error; depth++) {
    if (at instanceof TunnelError) return at;
    at = innerOf(at);
  }
  return null;
}

function innerOf(error: Error): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.at(-1);
  if (error.cause !== undefined) return error.cause;
  // SDKs name what they wrap in their own ways.
  if ("error" in error) return error.error;
  return "original" in error ? error.original : undefined;
}

/** What egress said of a CONNECT that it did not take. @param said its header `wirken-reason`. */
export function reasonOf(status: number, said: unknown): TunnelReason {
  const known = EgressReason.safeParse(said);
  if (known.success) return known.data;
  if (status === 400) return "malformed";
  if (status === 429) return "busy";
  if (status === 504) return "timeout";
  return status === 403 ? "unlisted" : "unreachable";
}

function refused(words: Meaning["words"]): Meaning {
  return { code: "EACCES", final: true, words };
}

function passing(code: string, words: Meaning["words"]): Meaning {
  return { code, final: false, words };
}
