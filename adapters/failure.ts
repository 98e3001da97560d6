import { tunnelErrorIn } from "../src/tunnel/tunnel-error.ts";

/** What is known about a message that a platform did not take. Whether it may be sent again hangs on it. */
export type FailureCode =
  /** Not sent: the platform said no, and would again. */
  | "refused"
  /** Not sent: too soon after others. */
  | "rate-limited"
  /** Not sent: no connection came about. */
  | "unreachable"
  /** Not sent, because of its formatting only. */
  | "formatting"
  /** Not sent: more than the platform takes. */
  | "too-large"
  /** Nobody can tell: the connection was lost after the message had left. Sending again could show it twice. */
  | "unknown";

export class SendFailure extends Error {
  override readonly name = "SendFailure";
  readonly code: FailureCode;
  /** Milliseconds that the platform wants us to wait, where it said so. */
  readonly waitMs: number | null;
  constructor(code: FailureCode, message: string, waitMs: number | null = null) {
    super(message);
    this.code = code;
    this.waitMs = waitMs;
  }
}

/** Errors of a connection that never stood: not one byte of the request was read by the other side. */
const BEFORE_SENDING: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "ERR_ACCESS_DENIED",
  "UND_ERR_CONNECT_TIMEOUT",
]);
/** A handshake that failed: of OpenSSL's making, or Node's own. */
const HANDSHAKE = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH|EPROTO)/;

/** The code of a network error, wherever in the chain of causes it stands; null if there is none. Codes are constants of the runtime: unlike
 *  messages, they never carry an address with a token in it. */
export function networkCode(error: unknown): string | null {
  let found: string | null = null;
  let at: unknown = error;
  for (let depth = 0; depth < 6 && at instanceof Error; depth++) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z0-9_]{1,64}$/.test(at.code)) found = at.code;
    // Several addresses of one host were tried: they failed alike, or the last one tells.
    at = at instanceof AggregateError && at.errors.length > 0 ? at.errors.at(-1) : innerOf(at);
  }
  return found;
}

function innerOf(error: Error): unknown {
  if (error.cause !== undefined) return error.cause;
  // The SDKs name what they wrap in their own ways.
  if ("error" in error) return error.error;
  if ("original" in error) return error.original;
  return undefined;
}

/** Why a platform cannot be reached: what egress refused, in words, else the code of the network error. It names no address but a host and a port. */
export function whyUnreachable(error: unknown): string {
  const tunnel = tunnelErrorIn(error);
  return tunnel?.final === true ? tunnel.message : (networkCode(error) ?? "no answer in time");
}

/** @returns the failure of a request that got no answer of the platform's. */
export function networkFailure(platform: string, error: unknown): SendFailure {
  const tunnel = tunnelErrorIn(error);
  // The lane says so itself where nothing was sent.
  if (tunnel?.syscall === "connect")
    return new SendFailure(
      tunnel.final ? "refused" : "unreachable",
      `${platform} cannot be reached (${whyUnreachable(error)})`,
    );
  const code = networkCode(error);
  if (code !== null && (BEFORE_SENDING.has(code) || HANDSHAKE.test(code))) {
    return new SendFailure("unreachable", `${platform} cannot be reached (${code})`);
  }
  return new SendFailure(
    "unknown",
    `the connection to ${platform} was lost before it answered (${whyUnreachable(error)})`,
  );
}
