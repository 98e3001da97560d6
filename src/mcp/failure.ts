import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ErrorCode, McpError } from "@modelcontextprotocol/sdk/types.js";
import type { McpFailure } from "../ipc/mcp-frames.ts";
import { tunnelErrorIn } from "../tunnel/tunnel-error.ts";
import { McpProcessError } from "./mcp-error.ts";

/** Of what a server says went wrong, in characters. */
const MAX_QUOTED = 500;
/** The SDK's own codes. */
const CONNECTION_CLOSED: number = ErrorCode.ConnectionClosed;
const REQUEST_TIMEOUT: number = ErrorCode.RequestTimeout;

/** Why something came to nothing: the sentence may quote the server, in one line. For `host-needed` it is the host alone. */
export function failureOf(error: unknown): readonly [reason: McpFailure, sentence: string] {
  const tunnel = tunnelErrorIn(error);
  if (tunnel !== null) {
    if (tunnel.reason === "unlisted") return ["host-needed", tunnel.hostname];
    return ["unreachable", tunnel.message];
  }
  const own = causeOf(error);
  if (own !== null) return [own.code, own.message];
  if (error instanceof UnauthorizedError) return ["unauthorized", "the server wants to be authorized first"];
  if (error instanceof StreamableHTTPError) {
    if (error.code === 401 || error.code === 403)
      return ["unauthorized", "the server takes nothing from us without another authorization"];
    return ["server-error", `the server answered with status ${error.code ?? "unknown"}: ${quoted(error.message)}`];
  }
  if (error instanceof McpError) {
    if (error.code === CONNECTION_CLOSED) return ["ended", "the server ended, or closed the connection"];
    if (error.code === REQUEST_TIMEOUT) return ["timeout", "the server did not answer in time"];
    return ["server-error", `the server says: ${quoted(error.message)} (code ${error.code})`];
  }
  if (
    error instanceof Error &&
    (error.name === "ZodError" || error.name === "$ZodError" || error instanceof SyntaxError)
  )
    return ["protocol", "what the server answered is not what the protocol has there"];
  if (error instanceof RangeError && error.message.includes("call stack"))
    return ["too-large", "what the server sent is nested too deeply"];
  if (error instanceof Error && /fetch failed|ECONN|ENOTFOUND/.test(error.message))
    return ["unreachable", "the server cannot be reached, or broke off"];
  // A fault of ours, or a library's: its kind helps to find it.
  return [
    "other",
    `it could not be done (${error instanceof Error ? `${error.name}: ${quoted(error.message)}` : typeof error})`,
  ];
}

function causeOf(error: unknown): McpProcessError | null {
  for (let at = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++)
    if (at instanceof McpProcessError) return at;
  return null;
}

export function quoted(text: string): string {
  const line = text
    .toWellFormed()
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim();
  return line.length <= MAX_QUOTED ? line : `${line.slice(0, MAX_QUOTED).toWellFormed()}…`;
}
