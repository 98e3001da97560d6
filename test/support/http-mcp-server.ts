import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { OAuthServer } from "./oauth-server.ts";

/** An MCP server over streamable HTTP that lets nobody in without a token of this authorization server.
 *  @param origin its own. @param issuer that of the authorization server. */
export function httpMcpServer(
  origin: string,
  issuer: string,
  auth: Pick<OAuthServer, "admits">,
): { readonly answer: (request: IncomingMessage, response: ServerResponse) => void; readonly tokens: string[] } {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const tokens: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = request.url ?? "";
    if (path.startsWith("/.well-known/oauth-protected-resource")) {
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ resource: `${origin}/mcp`, authorization_servers: [issuer] }));
      return;
    }
    if (path !== "/mcp") {
      response.writeHead(404).end();
      return;
    }
    if (!auth.admits(request.headers.authorization)) {
      response
        .writeHead(401, {
          "www-authenticate": `Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource/mcp"`,
        })
        .end();
      return;
    }
    tokens.push((request.headers.authorization ?? "").slice("Bearer ".length));
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? sessions.get(id) : undefined;
    if (typeof id === "string" && known === undefined) {
      response.writeHead(404).end();
      return;
    }
    await (known ?? (await begun(sessions))).handleRequest(request, response);
  };
  return { answer: (request, response) => void answer(request, response), tokens };
}

async function begun(sessions: Map<string, StreamableHTTPServerTransport>): Promise<StreamableHTTPServerTransport> {
  const server = new McpServer({ name: "tracker", version: "1.0.0" });
  server.registerTool("whoami", { description: "Says who is logged in." }, () => ({
    content: [{ type: "text", text: "you are the owner" }],
  }));
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: () => randomUUID(),
    onsessioninitialized: (id) => void sessions.set(id, transport),
  });
  await server.connect(transport);
  return transport;
}
