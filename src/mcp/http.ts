import { extractWWWAuthenticateParams, type OAuthClientProvider } from "@modelcontextprotocol/sdk/client/auth.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport, StreamableHTTPError } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { MAX_MESSAGE } from "./line-transport.ts";
import { McpProcessError } from "./mcp-error.ts";

/** Servers at a URL: streamable HTTP, and for servers of before that two endpoints with events. */

/** Of one stream of events, in bytes: then it is begun anew. */
const MAX_STREAM = 16 * MAX_MESSAGE;

export interface HttpOptions {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly auth: OAuthClientProvider | null;
}

/** In the order in which they are tried. */
export function httpTransports({ url, headers, auth }: HttpOptions): (() => Transport)[] {
  const options = {
    fetch: boundedFetch,
    requestInit: { headers: { ...headers } },
    ...(auth === null ? {} : { authProvider: auth }),
  };
  return [() => new StreamableHTTPClientTransport(url, options), () => new SSEClientTransport(url, options)];
}

/** Is it an answer of a server that does not know the newer way? */
export function isOlder(error: unknown): boolean {
  return error instanceof StreamableHTTPError && [400, 404, 405, 406, 415].includes(error.code ?? 0);
}

/** What a server says that it wants, when it is asked without anything: where that is described, and what for. */
export async function wantedBy(url: URL): Promise<{ readonly resourceMetadataUrl?: URL; readonly scope?: string }> {
  const response = await boundedFetch(url, {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 0, method: "ping" }),
  });
  await response.body?.cancel();
  if (response.status !== 401) return {};
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(response);
  return {
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
    ...(scope === undefined ? {} : { scope }),
  };
}

/** No answer is read further than a message may be long. */
export async function boundedFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.body === null) return response;
  const most =
    response.headers.get("content-type")?.startsWith("text/event-stream") === true ? MAX_STREAM : MAX_MESSAGE;
  let read = 0;
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(piece, controller) {
      read += piece.length;
      if (read > most)
        controller.error(new McpProcessError("too-large", `the server sent an answer of more than ${most} bytes`));
      else controller.enqueue(piece);
    },
  });
  const bounded = new Response(response.body.pipeThrough(counting), {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
  Object.defineProperty(bounded, "url", { value: response.url });
  return bounded;
}
